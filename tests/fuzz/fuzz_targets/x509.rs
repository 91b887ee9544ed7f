#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::x509::run(data));
