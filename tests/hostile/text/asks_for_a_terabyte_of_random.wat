;; Row 9: asks for a tebibyte of random bytes.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $random-bytes (i64.const 0x10000000000) (i32.const 8192))
  (i32.const 4096))
