#!/usr/bin/env bash
# Builds deploy/Dockerfile without a Docker engine, as `localhost/detente`: ./dev image [--fresh] [--archive FILE]
#   --fresh         forget the base and every layer: today's security updates
#   --archive FILE  the image as a file, for `docker load` and `podman load`
# Images and layers lie in build/image; what is unchanged is not built again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

base=localhost/detente-base image=localhost/detente
say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

fresh=0 archive=
while [ $# -gt 0 ]; do
  case $1 in
    --fresh) fresh=1 ;;
    --archive) archive=${2:?a file is missing}; shift ;;
    *) die "what is $1? See deploy/image.sh" ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || die "root is needed: debootstrap and buildah's chroot isolation change root"

mkdir -p build/image
exec 9>build/image/.lock
flock 9
store=(--root "$PWD/build/image/storage" --runroot "$PWD/build/image/run")
tool() { # tool VERB ARGS
  local verb=$1
  shift
  buildah "${store[@]}" "$verb" "$@"
}

make_base() {
  local container root
  say "base: debootstrap Debian 12"
  container=$(tool from scratch)
  root=$(tool mount "$container")
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >build/image/debootstrap.log ||
    die "debootstrap failed; see build/image/debootstrap.log"
  printf 'deb http://deb.debian.org/%s main\n' 'debian bookworm' 'debian bookworm-updates' \
    'debian-security bookworm-security' >"$root/etc/apt/sources.list"
  chroot "$root" sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -qq >/dev/null &&
    apt-get clean && rm -rf /var/lib/apt/lists/*' 2>>build/image/debootstrap.log ||
    die "apt-get in the base failed; see build/image/debootstrap.log"
  tool umount "$container" >/dev/null
  tool commit --quiet --rm "$container" $base >/dev/null
}

# Each change of the code leaves a layer behind.
[ "$(tool images --all --quiet | wc -l)" -lt 200 ] || fresh=1
[ $fresh = 0 ] || tool rmi --all --force >/dev/null
if ! tool inspect --type image $base >/dev/null 2>&1; then make_base; fi

# The build's compiler cache is this machine's: its objects are the same.
cache=$(ccache --get-config cache_dir)
mkdir -p "$cache"
options=(--volume "$cache:/ccache" --build-arg CCACHE_DIR=/ccache --build-arg "LANG=${LANG-}")
# Where a proxy of the network signs with its own certificate.
[ -z "${PIP_CERT-}" ] || options+=(--volume "$PIP_CERT:/etc/ssl/certs/ca-certificates.crt:ro")

version=$(.venv/bin/python -m setuptools_scm)
options+=(--build-arg "VERSION=$version")
revision=$(git rev-parse HEAD)
[ -z "$(git status --porcelain)" ] || revision+=-dirty
build() {
  tool bud --quiet --isolation chroot --pull-never --layers --format docker --build-arg "BASE=$base" \
    "${options[@]}" --file deploy/Dockerfile "$@" .
}
say "build: deploy/Dockerfile"
# The stage that compiles keeps its times, by which ccache knows the compiler. Then every file and the image itself
# are as of 1970: the same tree gives the same layers.
build --target build >/dev/null
build --timestamp 0 --tag $image --label "org.opencontainers.image.version=$version" \
  --label "org.opencontainers.image.revision=$revision" >build/image/id

if [ -n "$archive" ]; then
  rm -f "$archive"
  tool push --quiet $image "docker-archive:$archive:detente:${version//+/-}" # a tag has no +
fi
container=$(tool from --pull-never $image)
root=$(tool mount "$container")
(cd "$root" && find . -type f -printf '%s %P\n') | awk '
  { sum += $1; part = $2; sub(/^usr\/share\/doc\/.*/, "licences", part); size[part] += $1 }
  END {
    for (part in size) if (size[part] > 500000 || part == "licences") printf "%8.1f MB  %s\n", size[part] / 1e6, part
    printf "%8.1f MB  all\n", sum / 1e6
  }' | sort -rn >&2
tool umount "$container" >/dev/null
tool rm "$container" >/dev/null
say "$image $(cat build/image/id)"
