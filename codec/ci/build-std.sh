# Sourced by `wasm32` and `bare`: a compiler with the source of its standard library, for targets whose library can't be
# downloaded everywhere. Debian ships both; the two packages must have one version.
#
# Sets and exports RUSTC and RUSTC_BOOTSTRAP, or ends the script with `SKIPPED: why`.

skip() {
  echo "SKIPPED: $*"
  exit 0
}

rustc=/usr/bin/rustc

has_build_std() {
  [ -x $rustc ] && [ -e "$($rustc --print sysroot)/lib/rustlib/src/rust/library/std" ] &&
    command -v "${build_std_needs[@]}" >/dev/null
}

install_build_std() {
  command -v apt-get >/dev/null || skip "no Debian"
  [ "$(id -u)" = 0 ] || skip "not root, so nothing can be installed"
  apt-get -q update >/dev/null || skip "apt-get update failed"
  local version
  version=$(apt-cache madison rust-web-src | awk 'NR == 1 { print $3 }')
  [ -n "$version" ] || skip "no rust-web-src"
  apt-get -qy install --no-install-recommends "rustc-web=$version" "rust-web-src=$version" lld \
    >/dev/null || skip "apt-get install failed"
  has_build_std || skip "the packages lack something"
}

build_std_needs=(cargo "$@")
has_build_std || install_build_std
export RUSTC=$rustc RUSTC_BOOTSTRAP=1
$rustc --version

# Makes a crate of the source file $2 in the folder $1 that depends on the codec without its default features.
make_check_crate() {
  mkdir -p "$1"
  cat >"$1/Cargo.toml" <<EOF
[package]
name = "check"
edition = "2024"
[lib]
path = "$PWD/$2"
crate-type = ["$3"]
[dependencies]
wscodec = { path = "$PWD/codec", default-features = false }
[workspace]
EOF
  cp Cargo.lock "$1/"
}
