// A value and its lock, for what several threads change now and then. The C library's lock and not the
// standard library's `Mutex`: the thread sanitizer does not see how a `Mutex` that was waited for changes
// hands, and would report races where there are none.
import Glibc

/// Shared by reference. `withLock` must not be called inside itself.
public final class Guarded<Value>: @unchecked Sendable { // `value` is touched under the lock only
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: sending Value) {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        // Of the ordinary kind, neither call can fail: it asks the system for nothing.
        pthread_mutex_init(lock, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Runs `body` while no other thread does. What is under the lock stays there: only what can be sent to
    /// other threads comes out.
    public func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value)
    }
}
