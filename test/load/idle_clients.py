#!/usr/bin/env python3
"""idle_clients.py PORT IDLE SLOW: opens connections to a local bridge: IDLE ones that have been answered once and then say
nothing, SLOW ones that send a request a byte a second. Prints "N idle, M slow connections ready" and keeps them."""
import socket
import sys
import time

REQUEST = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Padding: " + b"x" * 10000


def connect(port):
    for _ in range(50):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("cannot connect")


def main():
    port, idle_wanted, slow_wanted = map(int, sys.argv[1:])
    idle = []
    for _ in range(idle_wanted):
        client = connect(port)
        client.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        if not client.recv(4096).startswith(b"HTTP/1.1 200"):
            raise SystemExit("an idle connection was not answered")
        idle.append(client)
    slow = [connect(port) for _ in range(slow_wanted)]
    print(f"{len(idle)} idle, {len(slow)} slow connections ready", flush=True)
    at = 0
    while True:
        for i, client in enumerate(slow):
            try:
                client.send(REQUEST[at % len(REQUEST):at % len(REQUEST) + 1])
            except OSError:
                slow[i] = connect(port)  # cut off by its deadline: the next one comes
        at += 1
        time.sleep(1)


if __name__ == "__main__":
    main()
