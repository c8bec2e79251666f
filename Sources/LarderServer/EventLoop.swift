// Swift's face of libevent: one base per thread, and the event that a connection embeds. Everything here is
// trivial values behind pointers: an event's argument is the pointer of the struct it serves, and callbacks
// are C functions.
import CLibevent
import Glibc

/// libevent's own struct, embedded where it is used (128 bytes) so that no second allocation stands beside
/// it.
typealias Event = event
typealias EventCallback = @convention(c) (Int32, Int16, UnsafeMutableRawPointer?) -> Void

/// Why a callback runs.
enum Readiness {
    static let timeout = Int16(EV_TIMEOUT)
    static let read = Int16(EV_READ)
    static let write = Int16(EV_WRITE)
    static let signal = Int16(EV_SIGNAL)
    /// The other side has finished sending, or is gone; told without reading.
    static let closed = Int16(EV_CLOSED)
    static let persist = Int16(EV_PERSIST)
    /// Told once, not as long as it is so.
    static let edge = Int16(EV_ET)
}

/// One thread's event base. Only the thread that runs it may touch it: it is made without locks.
struct EventLoop: @unchecked Sendable { // moves to its thread before it runs, and stays there
    let base: OpaquePointer

    init?() {
        guard let config = event_config_new() else { return nil }
        defer { event_config_free(config) }
        // One thread per base needs no locks; nothing here needs timers finer than the coarse clock.
        event_config_set_flag(config, Int32(EVENT_BASE_FLAG_NOLOCK.rawValue))
        guard let base = event_base_new_with_config(config) else { return nil }
        self.base = base
    }

    func free() { event_base_free(base) }

    /// Runs callbacks until `stop`, also while nothing is registered.
    func run() { event_base_loop(base, Int32(EVLOOP_NO_EXIT_ON_EMPTY)) }

    /// The same, with `afterEach` whenever all that were due have run. Ends, too, if the kernel can't be
    /// asked any more.
    func run(afterEach: () -> Void) {
        while event_base_loop(base, Int32(EVLOOP_NO_EXIT_ON_EMPTY | EVLOOP_ONCE)) == 0 {
            afterEach()
            if event_base_got_break(base) != 0 { return }
        }
    }

    /// Called from a callback: the loop ends after it.
    func stop() { event_base_loopbreak(base) }

    /// Prepares an event in place. `descriptor` -1: a timer; a signal's number with `Readiness.signal`.
    func assign(
        _ event: UnsafeMutablePointer<Event>, _ descriptor: Int32, _ readiness: Int16,
        _ callback: EventCallback, _ argument: UnsafeMutableRawPointer?
    ) {
        // Fails only for a signal combined with reading or writing, which nobody asks for.
        event_assign(event, base, descriptor, readiness, callback, argument)
    }

    static func version() -> String { String(cString: event_get_version()) }
}

extension UnsafeMutablePointer where Pointee == Event {
    /// Starts watching; false when the kernel or memory refuses.
    func add() -> Bool { event_add(self, nil) == 0 }

    /// Starts watching, with a time limit; for a timer, the time until it fires.
    func add(milliseconds: Int) -> Bool {
        var interval = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        return event_add(self, &interval) == 0
    }

    func remove() { event_del(self) }

    /// For a timer: makes sure that a later `add` finds memory for it. libevent keeps the room of a timer
    /// that was removed.
    func holdPlace() -> Bool {
        guard add(milliseconds: 1000) else { return false }
        remove()
        return true
    }
}

/// A struct with an event as its first field, so that a pointer to one is a pointer to the other.
protocol EventHolder {
    var event: Event { get set }
}

extension UnsafeMutablePointer where Pointee: EventHolder {
    @inline(__always)
    var eventPointer: UnsafeMutablePointer<Event> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: Event.self)
    }
}
