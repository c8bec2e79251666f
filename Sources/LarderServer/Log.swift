// The log: lines on standard error with time and level, or with the priorities journald reads when systemd
// has its journal there. For starts, stops and faults; what happens per request is logged at -vv only, by
// those who ask first.
import Glibc
import Synchronization

public final class Log: Sendable {
    /// syslog's numbers, which journald wants as a prefix.
    public enum Level: Int, Sendable {
        case error = 3, warning = 4, notice = 5, info = 6, debug = 7
    }

    /// A line longer than this is cut: nothing a client sends may flood the log with one request.
    static let longestLine = 2048

    private let verbosityWord: Atomic<Int>
    private let isJournal: Bool
    private let descriptor: Int32

    /// `isJournal` nil: look whether systemd says that `descriptor` is its journal.
    public init(verbosity: Int = 0, descriptor: Int32 = STDERR_FILENO, isJournal: Bool? = nil) {
        verbosityWord = Atomic(verbosity)
        self.descriptor = descriptor
        self.isJournal = isJournal ?? Log.journalReads(descriptor)
    }

    /// `-v`, `-vv`, `-vvv`, and what the `verbosity` command made of it.
    public var verbosity: Int {
        get { verbosityWord.load(ordering: .relaxed) }
        set { verbosityWord.store(newValue, ordering: .relaxed) }
    }

    public func error(_ text: @autoclosure () -> String) { write(.error, text()) }
    public func warning(_ text: @autoclosure () -> String) { write(.warning, text()) }
    /// Always written: what the daemon does with its life.
    public func notice(_ text: @autoclosure () -> String) { write(.notice, text()) }
    /// From -v on.
    public func info(_ text: @autoclosure () -> String) {
        if verbosity >= 1 { write(.info, text()) }
    }
    var showsRequests: Bool { verbosity >= 2 }
    /// From -vv on: single connections and requests.
    public func debug(_ text: @autoclosure () -> String) {
        if showsRequests { write(.debug, text()) }
    }

    /// One line, one write: lines of several threads don't mix. What can't be written is lost.
    private func write(_ level: Level, _ text: String) {
        var line = [UInt8]()
        line.reserveCapacity(min(text.utf8.count, Log.longestLine) + 48)
        if isJournal {
            line.append(contentsOf: "<\(level.rawValue)>".utf8)
        } else {
            line.append(contentsOf: Log.timestamp().utf8)
            line.append(contentsOf: " \(level) ".utf8)
        }
        Log.appendPrintable(text.utf8, to: &line)
        line.append(0x0A)
        line.withUnsafeBytes { bytes in
            _ = Glibc.write(descriptor, bytes.baseAddress!, bytes.count)
        }
    }

    /// Appends `text` with control characters spelled out, so that no client writes to the operator's
    /// terminal.
    static func appendPrintable(_ text: String.UTF8View, to line: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        var previous: UInt8 = 0
        for byte in text.prefix(longestLine) {
            // UTF-8 has control characters of its own: C2 80 to C2 9F.
            if byte < 0x20 || byte == 0x7F || previous == 0xC2 && byte &- 0x80 < 0x20 {
                line.append(contentsOf: [0x5C, 0x78, hex[Int(byte >> 4)], hex[Int(byte & 15)]])
            } else {
                line.append(byte)
            }
            previous = byte
        }
        if text.count > longestLine { line.append(contentsOf: " ...".utf8) }
    }

    /// UTC with milliseconds, as 2026-01-31T12:00:00.123Z.
    static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func digits(_ value: some BinaryInteger, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))T"
            + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
            + ".\(digits(now.tv_nsec / 1_000_000, 3))Z"
    }

    /// JOURNAL_STREAM names device and inode of the stream that leads to the journal; it holds for this
    /// process only if its standard error is still that stream.
    private static func journalReads(_ descriptor: Int32) -> Bool {
        guard let named = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return named == "\(status.st_dev):\(status.st_ino)"
    }
}
