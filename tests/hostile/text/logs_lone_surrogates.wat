;; Row 9: a line of log in UTF-16 that is half a character.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 8192) (i32.const 0xd800))
  (call $log16 (i32.const 0) (i32.const 8192) (i32.const 1))
  (i32.const 4096))
