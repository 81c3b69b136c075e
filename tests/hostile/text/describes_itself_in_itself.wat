;; Row 3: a million columns that are all the same kilobyte of text.

(func $describe (result i32) (local $list i32) (local $at i32)
  (memory.fill (i32.const 8192) (i32.const 0x61) (i32.const 1024))
  (local.set $list (call $allocate (i32.const 0x800000)))
  (local.set $at (local.get $list))
  (loop
    (i32.store (local.get $at) (i32.const 8192))
    (i32.store offset=4 (local.get $at) (i32.const 1024))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if 0 (i32.lt_u (local.get $at) (i32.add (local.get $list) (i32.const 0x800000)))))
  (i32.store (i32.const 1056) (local.get $list))
  (i32.store (i32.const 1060) (i32.const 0x100000))
  (i32.const 1024))
