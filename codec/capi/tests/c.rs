//! The batteries in C99 and C++17, built with the system's compilers and linked with the static
//! library of this profile. Skipped, loudly, where there is no compiler.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Warnings are errors, as in the programs of those who use the header.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

fn battery(compiler: &str, standard: &str, source: &str) {
    let variable = compiler.to_uppercase().replace("C++", "CXX");
    let compiler = env::var(variable).unwrap_or_else(|_| compiler.to_owned());
    let words: Vec<&str> = compiler.split_whitespace().collect();
    if Command::new(words[0]).arg("--version").output().is_err() {
        println!("SKIPPED: no {compiler}");
        eprintln!("SKIPPED: {source} was not compiled: no {compiler}");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside this test: target/PROFILE/deps.
    let deps = env::current_exe().unwrap().parent().map(Path::to_owned).unwrap();
    let program: PathBuf = deps.join(format!("capi_{}", source.replace('.', "_")));
    let built = Command::new(words[0])
        .args(&words[1..])
        .arg(standard)
        .args(STRICT)
        .arg("-I")
        .arg(root.join("include"))
        .arg("-o")
        .arg(&program)
        .arg(root.join("test").join(source))
        .arg(deps.join("libwscodec_capi.a"))
        .args(["-lpthread", "-ldl", "-lm"])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(&program).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.starts_with("ok: "), "{said}");
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
