;; Row 13: uses exceptions.

(tag)
