#!/usr/bin/env bash
# Installs what Squish needs on Debian 12. Idempotent, asks nothing, runs as root
# or through sudo. Only missing packages are installed, and the package lists are
# refreshed only when something is missing, so a second run takes a second and
# works without a network.
#
#   deploy/install-deps.sh [--runtime] [--bench] [--cross]
#
#   (no option)  everything that building, testing and the demo need
#   --runtime    only the shared libraries that the built programs load
#                (the Dockerfiles use it for their final stage)
#   --bench      additionally python3-torch, torchvision, opencv, matplotlib and pil, which
#                the benchmarks compare against and draw with, and a test its pictures
#   --cross      additionally what jetson-agent is cross-built with, and run without a board
#                (its libraries come by deploy/sysroot.sh)
set -euo pipefail

build=(
  build-essential cmake ninja-build ccache pkg-config git ca-certificates
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libgrpc-dev
  libabsl-dev libsqlite3-dev libssl-dev prometheus-cpp-dev
  nlohmann-json3-dev libspdlog-dev libcli11-dev
  libtorch-dev
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev libopencv-dnn-dev libonnx-dev
  libjpeg62-turbo-dev
  libgtest-dev libgmock-dev
  clang-14 libclang-rt-14-dev
  curl jq prometheus docker-compose python3
)
runtime=(
  ca-certificates libprotobuf32 libgrpc++1.51 libgrpc29 libsqlite3-0 libssl3
  libprometheus-cpp-core1.0 libprometheus-cpp-pull1.0 libspdlog1.10 libtorch1.13
  libopencv-core406 libopencv-imgproc406 libopencv-imgcodecs406 libopencv-dnn406 libonnx1
)
bench=(python3-torch python3-torchvision python3-opencv python3-matplotlib python3-pil)
cross=(g++-aarch64-linux-gnu qemu-user-static)

wanted=("${build[@]}")
for option in "$@"; do
  case "$option" in
    --runtime) wanted=("${runtime[@]}") ;;
    --bench) wanted+=("${bench[@]}") ;;
    --cross) wanted+=("${cross[@]}") ;;
    *) echo "install-deps.sh: unknown option '$option'; it takes --runtime, --bench and --cross" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "install-deps.sh: this needs Debian 12 (no dpkg here); the packages are: ${wanted[*]}" >&2
  exit 1
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install-deps.sh: run it as root, or install sudo; missing: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "install-deps.sh: installing ${#missing[@]} packages: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# A package that starts a daemon on installation (prometheus) must not do so here.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod +x "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null
