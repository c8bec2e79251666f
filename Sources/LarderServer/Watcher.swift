// One client that watches: its socket, the lines on their way to it, and how many it lost because it reads
// slowly.
import Glibc

/// Belongs to the main thread once `start` was called.
final class Watcher {
    /// What a watcher says without need is thrown away in steps of 4 KiB, so many at a time.
    private static let readsPerTurn = 16

    let descriptor: Int32
    private let stream: TLSStream?
    /// Bits of `EventKind`.
    let kinds: UInt32
    /// Events up to this number happened before it came.
    let since: UInt64
    /// The client is gone, or is to be let go.
    var isGone = false
    private var hasFailed = false
    private let bufferBytes: Int
    private var lines: [UInt8] = []
    private var skipped: UInt64 = 0
    private var event: UnsafeMutablePointer<Event>?

    init(descriptor: Int32, stream: TLSStream? = nil, kinds: UInt32, since: UInt64, bufferBytes: Int) {
        self.descriptor = descriptor
        self.stream = stream
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
        stream?.end(politely: !hasFailed)
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

    /// Lines it will not see; it is told before the next one.
    func lose(_ count: UInt64) { skipped += count }

    /// Sends what the socket takes.
    func flush() {
        guard !lines.isEmpty, !isGone else { return }
        if let stream { return flush(stream) }
        let n = lines.withUnsafeBytes { sendQuietly(descriptor, $0.baseAddress!, $0.count) }
        if n > 0 {
            if n == lines.count { lines.removeAll(keepingCapacity: true) } else { lines.removeFirst(n) }
        } else if n < 0, errno != EAGAIN, errno != EINTR {
            isGone = true
        }
    }

    private func flush(_ stream: TLSStream) {
        var sent = 0
        while sent < lines.count, !isGone {
            let outcome = lines.withUnsafeBytes { stream.write($0.baseAddress! + sent, $0.count - sent) }
            switch outcome {
            case .done(let bytes): sent += bytes
            case .wantsRead, .wantsWrite, .again:
                lines.removeFirst(sent)
                return
            case .ended, .failed:
                stream.forgetError()
                hasFailed = true
                isGone = true
            }
        }
        lines.removeAll(keepingCapacity: true)
    }

    /// Reads what the client sends; false when that is the end.
    private func drain() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            guard let stream else {
                let n = read(descriptor, buffer.baseAddress!, buffer.count)
                return n > 0 || n < 0 && (errno == EAGAIN || errno == EINTR)
            }
            // This is the thread that takes clients in.
            for _ in 0..<Self.readsPerTurn {
                switch stream.read(buffer.baseAddress!, buffer.count) {
                case .done, .again: continue
                case .wantsRead, .wantsWrite: return true
                case .ended(let isGone):
                    hasFailed = isGone
                    return false
                case .failed:
                    stream.forgetError()
                    hasFailed = true
                    return false
                }
            }
            return true
        }
    }

    /// What a watcher sends has no meaning; that it is gone has.
    private static let clientSpoke: EventCallback = { _, _, argument in
        let watcher = Unmanaged<Watcher>.fromOpaque(argument!).takeUnretainedValue()
        if watcher.drain() { return }
        watcher.isGone = true
        // The descriptor stays readable until the next step lets go of it.
        watcher.event?.remove()
    }
}
