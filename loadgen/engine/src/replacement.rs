//! A path to a file that takes its place only once it is whole.
//!
//! What is written goes to a file beside it, which is renamed at the end: whatever ends the process
//! meanwhile, a file that was there before is still there, whole. A process that is killed leaves what
//! it has written beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Symbolic links followed from one path at most.
const LINKS_MAX: usize = 40;

/// A file that is being written. Dropped before [`finish`](Self::finish), it leaves no trace.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    /// Where `file` is, and the path it takes; `None` if it is written in place.
    beside: Option<(PathBuf, PathBuf)>,
}

impl Replacement {
    /// Opens a file that will take the place of `path`.
    ///
    /// A device or pipe is written as it is. So is a file in a folder where nothing can be created;
    /// that one is emptied at the end only.
    ///
    /// # Errors
    /// What the system says if nothing can be written there.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = followed(path);
        let replaced = fs::metadata(&path).ok();
        if replaced.as_ref().is_some_and(|found| !found.is_file()) {
            return Ok(Self { file: OpenOptions::new().write(true).open(&path)?, beside: None });
        }
        // A file that may not be written isn't replaced either, though its folder would allow it.
        let in_place = match &replaced {
            Some(_) => Some(OpenOptions::new().write(true).open(&path)?),
            None => None,
        };
        let own = beside(&path);
        match (OpenOptions::new().write(true).create_new(true).open(&own), in_place) {
            (Ok(file), _) => {
                if let Some(found) = replaced {
                    // Where that is refused, the file has the permissions of any new one.
                    file.set_permissions(found.permissions()).ok();
                }
                Ok(Self { file, beside: Some((own, path)) })
            }
            (Err(_), Some(file)) => Ok(Self { file, beside: None }),
            (Err(error), None) => Err(error),
        }
    }

    /// Writes the file by `write`, and puts it in its place.
    ///
    /// # Errors
    /// What `write` or the system says. The file that was there is then there still.
    pub fn finish(mut self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        if self.beside.is_none() && self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        write(&mut self.file)?;
        self.file.flush()?;
        if let Some((own, path)) = self.beside.take() {
            let renamed = fs::rename(&own, path);
            if renamed.is_err() {
                fs::remove_file(own).ok();
            }
            return renamed;
        }
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some((own, _)) = &self.beside {
            // It may be gone already.
            fs::remove_file(own).ok();
        }
    }
}

/// Where a path leads: renaming would replace the link, and not what it leads to.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    path
}

/// A name beside `path` that is this process' own and isn't taken for a result.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("loadgen-{name}-{}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn p5_a_file_is_replaced_when_whole() {
        let folder = Folder::new("replaced");
        let path = folder.0.join("a");
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.0.join("link");
        symlink("a", &link).unwrap();
        let replacement = Replacement::create(&link).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        replacement.finish(|file| file.write_all(b"after")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(folder.names(), ["a", "link"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn p5_what_fails_leaves_the_file_and_no_trace() {
        let folder = Folder::new("kept");
        let path = folder.0.join("a");
        fs::write(&path, "before").unwrap();
        drop(Replacement::create(&path).unwrap());
        let failing = Replacement::create(&path).unwrap();
        let said = failing.finish(|file| {
            file.write_all(b"half")?;
            Err(io::Error::other("full"))
        });
        assert_eq!(said.unwrap_err().to_string(), "full");
        assert_eq!(
            (fs::read_to_string(&path).unwrap(), folder.names()),
            ("before".into(), vec!["a".into()])
        );
        assert!(Replacement::create(&folder.0.join("no/such")).is_err());
        assert!(Replacement::create(&folder.0).is_err());
    }

    #[test]
    fn p5_devices_are_written_as_they_are() {
        let null = Replacement::create(Path::new("/dev/null")).unwrap();
        null.finish(|file| file.write_all(b"x")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
