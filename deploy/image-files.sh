#!/usr/bin/env bash
# Lays out the root of the image: the server, the libraries it loads, and the licence of everything in both.
#   deploy/image-files.sh BUILD_FOLDER ROOT
set -euo pipefail
build=$1 root=$2

cmake --install "$build" --component server --strip --prefix "$root/usr" >/dev/null
server=$root/usr/bin/detente-server

licence() { # licence NAME FILE...
  local name=$1
  shift
  mkdir -p "$root/usr/share/doc/$name"
  cp -L "$@" "$root/usr/share/doc/$name/"
}
of_package() { # the licence of the Debian package that a file came in
  local package
  package=$(dpkg -S "$1" 2>/dev/null || dpkg -S "${1#/usr}") # /lib is a link to /usr/lib
  package=${package%%:*}
  [ -e "$root/usr/share/doc/$package" ] || licence "$package" "/usr/share/doc/$package/copyright"
}

# "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)"; the loader itself has no arrow.
ldd "$server" | grep -v -e linux-vdso -e "$root" | grep -o '/[^ ]*' | sort -u | while read -r library; do
  case $library in
    */ld-linux*) install -D -m 755 "$(realpath "$library")" "$root$library" ;;
    *) install -m 644 "$(realpath "$library")" "$root/usr/lib/$(basename "$library")" ;;
  esac
  of_package "$(realpath "$library")"
done
# What is linked in.
ninja -C "$build" -t commands -s bin/detente-server | grep -o '/usr/lib/[^ ,]*\.a' | sort -u | while read -r archive; do
  of_package "$archive"
done

site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
licence detente LICENSE
licence pyarrow "$site"/pyarrow-*.dist-info/licenses/*.txt
licence googleapis-common-protos "$site"/googleapis_common_protos-*.dist-info/licenses/LICENSE

# What an engine mounts needs places.
mkdir -p "$root"/{dev,etc,proc,sys,tmp,var/lib}
echo 'detente:x:10001:10001::/var/lib/detente:/nonexistent' >"$root/etc/passwd"
echo 'detente:x:10001:' >"$root/etc/group"
