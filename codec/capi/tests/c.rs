//! The batteries in C99 and C++17, built with the system's compilers and linked with the static
//! library of this profile. Skipped, loudly, where there is no compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Warnings are errors, as in the programs of those who use the header.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// Compiles a source with the system's compiler; `false` if there is none.
fn compile(compiler: &str, standard: &str, source: &Path, more: &[&str]) -> bool {
    let variable = compiler.to_uppercase().replace("C++", "CXX");
    let compiler = env::var(variable).unwrap_or_else(|_| compiler.to_owned());
    let words: Vec<&str> = compiler.split_whitespace().collect();
    if Command::new(words[0]).arg("--version").output().is_err() {
        eprintln!("SKIPPED: {} was not compiled: no {compiler}", source.display());
        return false;
    }
    let built = Command::new(words[0])
        .args(&words[1..])
        .arg(standard)
        .args(STRICT)
        .arg("-I")
        .arg(root().join("include"))
        .arg(source)
        .args(more)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    true
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo puts what it builds for tests, the static library included.
fn folder() -> PathBuf {
    env::current_exe().unwrap().parent().map(Path::to_owned).unwrap()
}

fn battery(compiler: &str, standard: &str, source: &str) {
    let program = folder().join(format!("capi_{}", source.replace('.', "_")));
    let library = folder().join("libwscodec_capi.a");
    let more =
        ["-o", program.to_str().unwrap(), library.to_str().unwrap(), "-lpthread", "-ldl", "-lm"];
    if !compile(compiler, standard, &root().join("test").join(source), &more) {
        return;
    }
    let ran = Command::new(&program).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.starts_with("ok: "), "{said}");
}

/// The code that the README shows.
#[test]
fn the_page_compiles() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = page.split_once("```c\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let source = folder().join("capi_page.c");
    let main = "int main(void) { return (int)echo(0, 0, 0, 0); }";
    fs::write(&source, format!("#include <wscodec.h>\n{shown}\n{main}\n")).unwrap();
    compile("cc", "-std=c99", &source, &["-fsyntax-only"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_battery_in_c99() {
    battery("cc", "-std=c99", "battery.c");
}

#[cfg(target_os = "linux")]
#[test]
fn the_battery_in_cpp17() {
    battery("c++", "-std=c++17", "battery.cpp");
}
