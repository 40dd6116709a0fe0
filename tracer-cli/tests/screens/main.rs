//! Every screen of `tracer ui` as it is drawn, at four sizes of the terminal, and what becomes of it under random
//! keys: the real event loop over a real capture, with a terminal in memory.

mod pictures;
mod random;
mod stage;
