#!/usr/bin/env bash
# Installs from Debian what is missing; does nothing, and asks for no rights, when all is there.
set -euo pipefail

packages=(
  build-essential g++ make cmake ninja-build ccache pkg-config python3 git
  postgresql-15 postgresql-client-15 postgresql-server-dev-15 libpq-dev
  sqitch libdbd-pg-perl libipc-run-perl
  libutf8proc-dev unicode-data
  libcpp-httplib-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libtomlplusplus-dev libssl-dev libsodium-dev libboost1.81-dev
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libwebp-dev libheif-dev libqpdf-dev libmagic-dev libseccomp-dev
  ffmpeg libheif-examples python3-pil
  libgtest-dev libbenchmark-dev
  libical-dev libicu-dev python3-dateutil python3-icalendar
  clang clang-format clang-tidy llvm libclang-rt-14-dev shellcheck
  curl bc util-linux
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "error: these packages are missing and there is no sudo to install them: ${missing[*]}" >&2
    exit 1
  }
  sudo=(sudo)
fi
echo "installing: ${missing[*]}" >&2
# PostgreSQL's package would start a cluster of its own; ours are private. Said for this installation only.
quiet=/etc/postgresql-common/createcluster.d/creatornexus.conf
"${sudo[@]}" mkdir -p "${quiet%/*}"
echo 'create_main_cluster = false' | "${sudo[@]}" tee "$quiet" >/dev/null
trap '"${sudo[@]}" rm -f "$quiet"' EXIT
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null
