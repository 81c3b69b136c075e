;; Row 13: is a core module, not a component.

(module)
