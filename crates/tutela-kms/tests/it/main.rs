//! The engine from outside: what must open, and what must not.

mod attacks; // ciphertexts that a weaker format would open
mod records; // fields of records
