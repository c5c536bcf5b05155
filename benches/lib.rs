//! Benchmarks of the suite's public API: `cargo bench -p pillarbox-benches`.
//!
//! Times on a shared machine are noise. Compare ratios within one run, or count instructions:
//! `valgrind --tool=callgrind` on a bench binary with `--bench` and one name.

#[path = "work/mod.rs"]
pub mod work;
