//! Bodies: bytes in, names and values out, and what was odd about them.

pub(crate) mod json;
pub(crate) mod multipart;
pub(crate) mod urlencoded;
pub(crate) mod xml;
