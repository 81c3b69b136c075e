//! The allocator of a component.
//!
//! Code that goes through a column row by row allocates and frees a short string for each row. The
//! allocator that WebAssembly targets come with takes a good part of such a transform's time. This one
//! keeps freed blocks of up to 512 bytes in lists by size, so that taking and giving back is a few
//! instructions; everything larger goes to the target's own allocator. Small blocks are used again for
//! small blocks, never given back: what an instance holds of them is bounded by the most it ever held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Sizes are rounded up to a multiple of this, and aligned to it.
const STEP: usize = 16;
/// The largest block that is kept in a list.
const LARGEST: usize = 512;
/// Bytes that are taken from the target's allocator at once.
const CHUNK: usize = 32 << 10;

/// Lists of free blocks by size, before the target's allocator.
pub(crate) struct Bins(UnsafeCell<Lists>);

struct Lists {
    /// The first free block of each size in steps; a free block begins with a pointer to the next.
    free: [*mut u8; LARGEST / STEP + 1],
    /// What is left of the last chunk.
    chunk: *mut u8,
    left: usize,
}

// SAFETY: a component has one thread. Natively only tests make `Bins`, each in one thread.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Bins {}

impl Bins {
    /// No memory yet.
    pub(crate) const fn new() -> Bins {
        Bins(UnsafeCell::new(Lists {
            free: [null_mut(); LARGEST / STEP + 1],
            chunk: null_mut(),
            left: 0,
        }))
    }

    /// The list of a block's size; none if it is too large for any.
    #[inline]
    fn list(&self, layout: Layout) -> Option<*mut *mut u8> {
        if layout.size() > LARGEST || layout.align() > STEP {
            return None;
        }
        // SAFETY: there is one thread, and no other reference to the lists is alive here.
        let lists = unsafe { &mut *self.0.get() };
        let list = lists.free.get_mut(layout.size().div_ceil(STEP))?;
        Some(&raw mut *list)
    }

    /// A block that was in no list yet; null if there is no memory.
    #[cold]
    fn carve(&self, layout: Layout) -> *mut u8 {
        // SAFETY: there is one thread, and no other reference to the lists is alive here.
        let lists = unsafe { &mut *self.0.get() };
        let size = layout.size().next_multiple_of(STEP);
        if lists.left < size {
            // SAFETY: the size is not zero, and the alignment is a power of two.
            let chunk = unsafe { System.alloc(Layout::from_size_align_unchecked(CHUNK, STEP)) };
            if chunk.is_null() {
                return chunk;
            }
            (lists.chunk, lists.left) = (chunk, CHUNK);
        }
        let block = lists.chunk;
        // SAFETY: at least `size` bytes of the chunk are left, so this is in it or one past its end.
        lists.chunk = unsafe { block.add(size) };
        lists.left -= size;
        block
    }
}

// SAFETY: a block is handed out either by the target's allocator or from a chunk of it, where it has
// the size and alignment of its list; it is in a list only while nobody has it. A layout always leads
// to the same of the two, so that a block goes back to where it came from.
unsafe impl GlobalAlloc for Bins {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(free) = self.list(layout) else {
            // SAFETY: as demanded of the caller.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: the list is this allocator's.
        let block = unsafe { *free };
        if block.is_null() {
            return self.carve(layout);
        }
        // SAFETY: a block in a list is at least a step long, aligned to it, and begins with a pointer.
        unsafe { *free = block.cast::<*mut u8>().read() };
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.list(layout) {
            // SAFETY: the caller gives back a block of this list, which nobody uses any more.
            Some(free) => unsafe {
                block.cast::<*mut u8>().write(*free);
                *free = block;
            },
            // SAFETY: as demanded of the caller; blocks of this size come from there.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.list(layout).is_none() {
            // Which knows what is zero already.
            // SAFETY: as demanded of the caller.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as demanded of the caller.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block is as long as its layout says.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller vouches for the new size with the same alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let steps = |layout: Layout| layout.size().div_ceil(STEP);
        match (self.list(layout).is_some(), self.list(new).is_some()) {
            // SAFETY: as demanded of the caller; both sizes are the target's.
            (false, false) => unsafe { System.realloc(block, layout, size) },
            (true, true) if steps(layout) == steps(new) => block,
            _ => {
                // SAFETY: as demanded of the caller.
                let moved = unsafe { self.alloc(new) };
                if !moved.is_null() {
                    // SAFETY: both blocks are as long as their layouts say, and are two blocks.
                    unsafe {
                        block.copy_to_nonoverlapping(moved, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                }
                moved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block, its layout, and the byte that fills it.
    type Held = (*mut u8, Layout, u8);

    fn fill(&(block, layout, byte): &Held) {
        unsafe { block.write_bytes(byte, layout.size()) };
    }

    fn holds((block, _, byte): &Held, size: usize) -> bool {
        unsafe { std::slice::from_raw_parts(*block, size) }
            .iter()
            .all(|found| found == byte)
    }

    #[test]
    fn blocks_are_aligned_zeroed_where_asked_and_never_overlap() {
        let bins = Bins::new();
        let mut held: Vec<Held> = Vec::new();
        let mut random = 1_u64;
        for turn in 0..20_000_u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (size, byte) = ((random >> 40) as usize % 700 + 1, turn as u8);
            let align = 1 << ((random >> 33) % 6);
            let choice = (random >> 60) % 4;
            if choice < 2 || held.is_empty() {
                let layout = Layout::from_size_align(size, align).unwrap();
                let block = match choice {
                    0 => unsafe { bins.alloc_zeroed(layout) },
                    _ => unsafe { bins.alloc(layout) },
                };
                assert!(!block.is_null() && (block as usize).is_multiple_of(align));
                assert!(
                    choice != 0 || holds(&(block, layout, 0), size),
                    "not zeroed"
                );
                held.push((block, layout, byte));
            } else {
                let (block, layout, old) = held.swap_remove((random >> 8) as usize % held.len());
                assert!(
                    holds(&(block, layout, old), layout.size()),
                    "written by another"
                );
                if choice == 2 {
                    unsafe { bins.dealloc(block, layout) };
                    continue;
                }
                let moved = unsafe { bins.realloc(block, layout, size) };
                assert!(
                    holds(&(moved, layout, old), size.min(layout.size())),
                    "lost in moving"
                );
                let layout = Layout::from_size_align(size, layout.align()).unwrap();
                held.push((moved, layout, byte));
            }
            held.last().map(fill);
        }
        for block in held {
            assert!(holds(&block, block.1.size()), "written by another");
            unsafe { bins.dealloc(block.0, block.1) };
        }
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_size() {
        let bins = Bins::new();
        let layout = |size| Layout::from_size_align(size, 1).unwrap();
        unsafe {
            let first = bins.alloc(layout(17));
            bins.dealloc(first, layout(17));
            assert_eq!(bins.alloc(layout(32)), first);
            assert_ne!(bins.alloc(layout(32)), first);
        }
    }
}
