;; Row 11: returns an error whose message lies past the end of memory.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 8192) (i32.const 1))
  (i32.store (i32.const 8200) (i32.const 0xfffffff0))
  (i32.store (i32.const 8204) (i32.const 0x1000))
  (i32.const 8192))
