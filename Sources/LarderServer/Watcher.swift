// One client that watches: its socket, the lines on their way to it, and how many it lost because it reads
// slowly.
import Glibc

/// Belongs to the main thread once `start` was called.
final class Watcher {
    let descriptor: Int32
    /// Bits of `EventKind`.
    let kinds: UInt32
    /// Events up to this number happened before it came.
    let since: UInt64
    /// The client is gone, or is to be let go.
    var isGone = false
    private let bufferBytes: Int
    private var lines: [UInt8] = []
    private var skipped: UInt64 = 0
    private var event: UnsafeMutablePointer<Event>?

    init(descriptor: Int32, kinds: UInt32, since: UInt64, bufferBytes: Int) {
        self.descriptor = descriptor
        self.kinds = kinds
        self.since = since
        self.bufferBytes = bufferBytes
    }

    /// The answer to its command.
    func greet() {
        lines = Array("OK\r\n".utf8)
        flush()
    }

    /// Watches for the client's end. False when the loop refuses.
    func start(_ loop: EventLoop) -> Bool {
        let event = UnsafeMutablePointer<Event>.allocate(capacity: 1)
        event.initialize(to: Event())
        loop.assign(
            event, descriptor, Readiness.read | Readiness.persist, Self.clientSpoke,
            Unmanaged.passUnretained(self).toOpaque())
        self.event = event
        return event.add()
    }

    func end() {
        event?.remove()
        event?.deallocate()
        event = nil
        close(descriptor)
    }

    /// Queues a line, after the number of those that were lost before it; false if there is no room.
    func take(_ line: [UInt8]) -> Bool {
        let lost = skipped > 0 ? Array("skipped=\(skipped)\n".utf8) : []
        guard lines.count + lost.count + line.count <= bufferBytes else {
            skipped += 1
            return false
        }
        skipped = 0
        lines += lost
        lines += line
        return true
    }

    /// Sends what the socket takes.
    func flush() {
        guard !lines.isEmpty, !isGone else { return }
        let n = lines.withUnsafeBytes { sendQuietly(descriptor, $0.baseAddress!, $0.count) }
        if n > 0 {
            if n == lines.count { lines.removeAll(keepingCapacity: true) } else { lines.removeFirst(n) }
        } else if n < 0, errno != EAGAIN, errno != EINTR {
            isGone = true
        }
    }

    /// What a watcher sends has no meaning; that it is gone has.
    private static let clientSpoke: EventCallback = { descriptor, _, argument in
        let watcher = Unmanaged<Watcher>.fromOpaque(argument!).takeUnretainedValue()
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let n = read(descriptor, buffer.baseAddress!, buffer.count)
            if n > 0 || n < 0 && (errno == EAGAIN || errno == EINTR) { return }
            watcher.isGone = true
            // The descriptor stays readable until the next step lets go of it.
            watcher.event?.remove()
        }
    }
}
