#!/usr/bin/env bash
# Makes a folder with what jetson-agent is cross-built from: Debian 12's arm64 packages of its
# libraries, downloaded through this machine's apt sources and unpacked. Nothing is installed
# and no root is needed: arm64 -dev packages would push amd64 ones out. A folder that is
# complete is left alone; to have newer packages, remove it first.
#
#   deploy/sysroot.sh FOLDER
set -euo pipefail

packages=(
  libgrpc++-dev libgrpc-dev libprotobuf-dev libabsl-dev libssl-dev libc-ares-dev libre2-dev
  zlib1g-dev
  nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev
  libprotobuf32 libre2-9  # For their licences alone: the -dev packages point there.
)

if [[ $# -ne 1 || $1 == -* ]]; then
  echo "usage: deploy/sysroot.sh FOLDER" >&2
  exit 2
fi
sysroot=$1
[[ $(cat "$sysroot/packages" 2>/dev/null || true) == "${packages[*]}" ]] && exit 0

echo "sysroot.sh: downloading ${#packages[@]} arm64 packages into $sysroot" >&2
parent=$(dirname "$sysroot")
mkdir -p "$parent"
work=$(realpath "$(mktemp -d "$parent/sysroot.XXXXXX")")
trap 'rm -rf "$work"' EXIT
# An apt of its own: another architecture, no package installed, lists and files in $work.
mkdir -p "$work"/apt/lists/partial "$work"/apt/cache/archives/partial "$work"/debs "$work"/root
touch "$work/apt/status"
options=(
  -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User="$(id -un)"
  -o Dir::State="$work/apt" -o Dir::State::lists="$work/apt/lists"
  -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache"
  -o Acquire::Languages=none -o Acquire::Retries=3
)
apt-get "${options[@]}" update -qq >&2
(cd "$work/debs" && apt-get "${options[@]}" download -qq "${packages[@]}" >&2)
for package in "$work"/debs/*.deb; do
  dpkg-deb --extract "$package" "$work/root"
done
echo "${packages[*]}" >"$work/root/packages"
rm -rf "$sysroot"
mv "$work/root" "$sysroot"
