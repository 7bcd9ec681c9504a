//! Two threads write one number without synchronization. A tool that looks for data races must find this one; otherwise
//! its silence proves nothing. See `ci/sanitize`.

use std::cell::UnsafeCell;
use std::thread;
use std::time::Duration;

struct Shared(UnsafeCell<u64>);

// SAFETY: it is unsound on purpose.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(0));

fn main() {
    let threads: Vec<_> = (0..2).map(|_| thread::spawn(count)).collect();
    for thread in threads {
        thread.join().expect("it only counts");
    }
    // SAFETY: no thread writes any more. A number that is never read would not be written at all.
    println!("{}", unsafe { *SHARED.0.get() });
}

fn count() {
    for _ in 0..100 {
        // SAFETY: it is not, but any number will do.
        unsafe { *SHARED.0.get() += 1 };
        // Both threads run at once, even on one processor.
        thread::sleep(Duration::from_millis(1));
    }
}
