#!/usr/bin/env python3
"""Print the Unicode property tables of the text engine as C++, made from Debian's package unicode-data."""
