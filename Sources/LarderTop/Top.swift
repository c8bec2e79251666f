// `larder top` from its first word to its exit status: asks the daemons, follows them, draws what the model
// says. It talks to daemons over their protocol only and shares nothing with the store.
import CSystem
import Glibc

public enum Top {
    /// Runs as `arguments` (without `larder top`) say; returns the exit status.
    public static func run(_ arguments: [String]) -> Int32 {
        switch TopOptions.parse(arguments) {
        case .help:
            return Terminal.write(TopOptions.help) ? 0 : 74
        case .fault(let fault):
            return complain(fault, 64)
        case .run(let options):
            var model = TopModel(names: options.targets.map(\.name))
            model.view = options.view
            model.delay = options.delay
            if let column = options.sortColumn, !model.sort(by: column) {
                let titles = Screen.sortableTitles(options.view).joined(separator: ", ")
                return complain("-s: one of \(titles)", 64)
            }
            var credentials: String?
            if let path = options.credentialsFile {
                guard let found = Credentials.first(path) else {
                    return complain("-Y \(path): no line user:password can be read there", 66)
                }
                credentials = found
            }
            let watch = Watch(model, options, credentials: credentials)
            if !options.isBatch, let terminal = Terminal() { return watch.interactively(on: terminal) }
            return watch.batch()
        }
    }

    private static func complain(_ fault: String, _ status: Int32) -> Int32 {
        let line = Array("larder top: \(Figures.printable(fault.utf8, limit: 400))\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        return status
    }
}

enum Credentials {
    /// The first `user:password` of a file, as the protocol wants it: `user password`.
    static func first(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0, let line = bytes[..<count].split(separator: 0x0A).first else { return nil }
        let halves = line.split(separator: 0x3A, maxSplits: 1)
        guard halves.count == 2, !line.contains(0x0D) else { return nil }
        return String(decoding: halves[0], as: UTF8.self) + " " + String(decoding: halves[1], as: UTF8.self)
    }
}

/// The loop around the model.
final class Watch {
    private var model: TopModel
    private let options: TopOptions
    private let links: [Link]
    /// In a batch every daemon is asked for what the view shows, not only the chosen one.
    private var asksAll = false

    init(_ model: TopModel, _ options: TopOptions, credentials: String?) {
        self.model = model
        self.options = options
        links = options.targets.map { Link(target: $0, credentials: credentials) }
    }

    /// Seconds after which a daemon that says nothing counts as down.
    private static let patience = 3.0

    private static var now: Double { monotonicSeconds() }

    // MARK: Asking

    private func questions(_ number: Int) -> [Question] {
        guard asksAll || number == model.selected else { return [.general] }
        switch model.view {
        case .clients: return [.general, .slabs, .items, .clients]
        case .classes: return [.general, .slabs, .items]
        case .daemons: return asksAll ? [.general] : [.general, .slabs, .items]
        }
    }

    private func askAll() {
        let now = Watch.now
        for (number, link) in links.enumerated() {
            take(link.ask(questions(number), now: now, patience: Watch.patience), number)
        }
    }

    /// Whether something new is to be shown.
    @discardableResult
    private func take(_ outcome: Link.Outcome, _ number: Int) -> Bool {
        switch outcome {
        case .nothing: return false
        case .answered(let sample):
            model.readings[number].larderVersion = links[number].larderVersion
            model.readings[number].take(sample)
        case .failed(let reason):
            model.readings[number].fail(reason)
        }
        return true
    }

    /// Waits for the daemons and the descriptors of `others`, `seconds` at most. Whether there is news of a
    /// daemon, and which of the others are ready.
    private func wait(_ seconds: Double, others: [Int32] = []) -> (news: Bool, ready: [Bool]) {
        var places = others.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        places += links.map { pollfd(fd: $0.descriptor, events: $0.interest, revents: 0) }
        let isBusy = links.contains { $0.isBusy }
        let limit = min(max(0, seconds), isBusy ? 0.25 : 3600)
        let count = poll(&places, nfds_t(places.count), Int32((limit * 1000).rounded(.up)))
        let now = Watch.now
        var news = false
        for (number, link) in links.enumerated() {
            let events = count > 0 ? places[others.count + number].revents : 0
            if events != 0, take(link.ready(events, now: now), number) { news = true }
            if take(link.checkDeadline(now: now), number) { news = true }
        }
        return (news, others.indices.map { count > 0 && places[$0].revents != 0 })
    }

    private func tick() {
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        model.clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { Figures.twoDigits(Int($0)) }
            .joined(separator: ":")
    }

    // MARK: A batch

    /// Plain text without an escape code: frame after frame, an empty line between two.
    func batch() -> Int32 {
        asksAll = true
        model.isUnicode = false
        let width = Environment["COLUMNS"].flatMap { Int($0) }.map { min(max(20, $0), 1000) } ?? 120
        // Rates need a look before the first that is shown.
        finishRound()
        var left = options.count
        while left != 0 {
            let next = Watch.now + model.delay
            while Watch.now < next { _ = wait(next - Watch.now) }
            finishRound()
            tick()
            guard Terminal.write(frame(width) + (left == 1 ? "" : "\n")) else { return 74 }
            left = left.map { $0 - 1 }
        }
        return model.readings.allSatisfy(\.isUp) ? 0 : 69
    }

    private func finishRound() {
        askAll()
        while links.contains(where: { $0.isBusy }) { _ = wait(1) }
    }

    private func frame(_ width: Int) -> String {
        var lines: [Line] = []
        for number in model.view == .daemons ? 0..<1 : model.readings.indices {
            model.selected = number
            let all = Screen.render(model, width: width, height: nil)
            if number == 0 {
                lines += all.prefix(1)
            } else {
                lines.append(Line())
            }
            if model.view != .daemons, model.readings.count > 1 { lines.append(Line(model.reading.name)) }
            lines += all.dropFirst()
        }
        return lines.map { $0.text.trimmed + "\n" }.joined()
    }

    // MARK: A terminal

    func interactively(on terminal: Terminal) -> Int32 {
        let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT]
        let signalled = csys_signal_descriptor(signals, Int32(signals.count))
        model.isUnicode = Environment.isUTF8
        terminal.enter()
        defer { terminal.leave() }
        var others = terminal.hasKeys ? [signalled, STDIN_FILENO] : [signalled]
        var nextRound = Watch.now
        var left = options.count
        var isAsking = false
        var isDirty = true
        while true {
            if Watch.now >= nextRound {
                if !model.isPaused {
                    askAll()
                    isAsking = true
                }
                nextRound = Watch.now + model.delay
                isDirty = true
            }
            if isDirty {
                tick()
                let (width, height) = terminal.size
                guard terminal.show(Screen.render(model, width: width, height: height), width: width)
                else { return 74 }
                isDirty = false
                // All have answered or failed, and what came of it was shown.
                if isAsking, !links.contains(where: { $0.isBusy }) {
                    isAsking = false
                    left = left.map { $0 - 1 }
                    if left == 0 { return 0 }
                }
            }
            let (news, ready) = wait(nextRound - Watch.now, others: others)
            if news { isDirty = true }
            if ready[0] {
                switch signal(csys_next_signal(signalled), terminal) {
                case .none: isDirty = true
                case .some(let status): return status
                }
            }
            if ready.count > 1, ready[1] {
                guard let keys = terminal.keys() else {
                    others.removeLast()
                    return 0
                }
                isDirty = true
                for key in keys {
                    switch model.press(key) {
                    case .quit: return 0
                    case .askNow: nextRound = Watch.now
                    case .newDelay: nextRound = min(nextRound, Watch.now + model.delay)
                    case .none: break
                    }
                }
            }
        }
    }

    /// The exit status, if it ends the program.
    private func signal(_ number: Int32, _ terminal: Terminal) -> Int32? {
        switch number {
        case SIGINT, SIGTERM, SIGHUP, SIGQUIT: return number == SIGINT ? 0 : 128 + number
        case SIGTSTP:
            terminal.leave()
            kill(getpid(), SIGSTOP)
            terminal.enter()
            return nil
        default: return nil
        }
    }
}

extension String {
    /// Without blanks at the end.
    fileprivate var trimmed: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
