//! All tests of loadgen's behaviour in one program, a module for each subject.
//!
//! Tests that measure a whole process (allocations, memory, descriptors) are programs of their own
//! beside this folder.

mod book;
mod chaos;
mod corpus;
mod layers;
mod page;
mod peer;
mod scripted;
mod served;

mod cli;
mod merge;
mod run;
mod serve;
