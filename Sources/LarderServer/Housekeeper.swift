// The one low-rate thread: moves the store's coarse clock and lets the store do a bounded bit of its chores.
import Glibc
import LarderProtocol
import LarderStore

final class Housekeeper: @unchecked Sendable { // `isStopping` is guarded by `lock`
    private static let interval = 100_000_000 // nanoseconds

    private let store: Store
    private let client: StoreClient
    private let unixClock: UnixClock
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var isStopping = false

    init(_ store: Store, _ client: StoreClient, _ unixClock: UnixClock) {
        self.store = store
        self.client = client
        self.unixClock = unixClock
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        changed = .allocate(capacity: 1)
        changed.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A wall clock that is set back must not make the cache's time stand still.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        changed.deallocate()
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// The thread's body.
    func run() {
        while !waitOrStop() {
            store.tick()
            unixClock.follow(time: Int64(time(nil)), at: client.now)
            store.housekeep()
        }
    }

    func stop() {
        pthread_mutex_lock(lock)
        isStopping = true
        pthread_cond_signal(changed)
        pthread_mutex_unlock(lock)
    }

    private func waitOrStop() -> Bool {
        var until = timespec()
        clock_gettime(CLOCK_MONOTONIC, &until)
        until.tv_nsec += Self.interval
        if until.tv_nsec >= 1_000_000_000 {
            until.tv_nsec -= 1_000_000_000
            until.tv_sec += 1
        }
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while !isStopping {
            if pthread_cond_timedwait(changed, lock, &until) == ETIMEDOUT { break }
        }
        return isStopping
    }
}
