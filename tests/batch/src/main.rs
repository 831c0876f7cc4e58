//! Streaming against batch: random rows go through the real runtime, out of order, cut into batches
//! anywhere, on one to four tasks, stopped and restored on the way; what the sinks show in the end is
//! what the batch SQL of DataFusion says about the same rows.
//!
//! The cases are the same in every run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` give others.

#[cfg(test)]
mod answer;
#[cfg(test)]
mod batch;
#[cfg(test)]
mod course;
#[cfg(test)]
mod keep;
#[cfg(test)]
mod made;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod topology;
#[cfg(test)]
mod windowing;
#[cfg(test)]
mod world;

#[cfg(test)]
mod joins;
#[cfg(test)]
mod late;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod ranks;
#[cfg(test)]
mod sketches;
#[cfg(test)]
mod windows;
