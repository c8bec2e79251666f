// The terminal: keys one by one, a screen of its own, and everything put back at the end however it comes.
// The only place that writes escape codes.
import CSystem
import Glibc

final class Terminal {
    private var saved: termios?
    private var isEntered = false
    private let hasColour: Bool

    /// Nil when standard output is no terminal that could move its cursor.
    init?() {
        guard isatty(STDOUT_FILENO) == 1, let kind = Environment["TERM"], kind != "dumb" else { return nil }
        hasColour = Environment["NO_COLOR"] == nil
    }

    deinit { leave() }

    /// Whether keys can be read.
    let hasKeys = isatty(STDIN_FILENO) == 1

    func enter() {
        guard !isEntered else { return }
        isEntered = true
        if hasKeys {
            var attributes = termios()
            if tcgetattr(STDIN_FILENO, &attributes) == 0 {
                saved = attributes
                // Signals of the keyboard stay: they arrive as signals.
                attributes.c_lflag &= ~tcflag_t(ICANON | ECHO)
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &attributes)
            }
        }
        // Another screen, no cursor, no wrapping of long lines.
        _ = Terminal.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
    }

    func leave() {
        guard isEntered else { return }
        isEntered = false
        _ = Terminal.write("\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
        if var saved { tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved) }
    }

    /// As the system has it; 80 by 24 where it has nothing.
    var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
        else { return (80, 24) }
        return (min(Int(size.ws_col), 1000), min(Int(size.ws_row), 1000))
    }

    /// One frame, in one write. False when nobody reads any more.
    func show(_ lines: [Line], width: Int) -> Bool {
        var text = "\u{1B}[H"
        for (place, line) in lines.enumerated() {
            if place > 0 { text += "\r\n" }
            for span in line.spans { text += code(span.style) + span.text }
            // After a full line the cursor stands on its last column: clearing from there would take it away.
            text += line.width < width ? "\u{1B}[0m\u{1B}[K" : "\u{1B}[0m"
        }
        return Terminal.write(text + "\u{1B}[J")
    }

    private func code(_ style: Style) -> String {
        var numbers = "0"
        if style.contains(.bold) { numbers += ";1" }
        if style.contains(.dim) { numbers += ";2" }
        if style.contains(.reverse) { numbers += ";7" }
        if hasColour, style.contains(.alarm) { numbers += ";31" }
        if hasColour, style.contains(.accent) { numbers += ";36" }
        return "\u{1B}[\(numbers)m"
    }

    /// The keys that wait, or nil when the terminal is gone.
    func keys() -> [Key]? {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return [] }
        return count > 0 ? Key.keys(in: bytes[..<count]) : nil
    }

    static func write(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var ready = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                if poll(&ready, 1, 1000) > 0 { continue }
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

enum Environment {
    /// Nil also when it is empty.
    static subscript(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// Whether what is written is read as UTF-8.
    static var isUTF8: Bool {
        let locale = Environment["LC_ALL"] ?? Environment["LC_CTYPE"] ?? Environment["LANG"] ?? ""
        // As in en_GB.UTF-8@euro.
        let encoding = locale.lowercased().drop { $0 != "." }.dropFirst().prefix { $0 != "@" }
        return encoding == "utf-8" || encoding == "utf8"
    }
}
