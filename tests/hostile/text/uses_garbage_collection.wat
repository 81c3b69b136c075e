;; Row 13: uses garbage collection.

(type (struct (field i32)))
