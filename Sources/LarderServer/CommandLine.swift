// From the command line to Settings, by getopt_long and the option table: `-vv`, `-m64`, `-m 64`,
// `--memory-limit=64`, `-o a,b=c`, everything as memcached's users write it.
import CSystem
import Glibc
import LarderStore

/// What the command line asks for.
enum Invocation: Sendable {
    case run(Settings)
    /// -h, -V, -i: text for standard output.
    case print(String)
}

enum OptionParser {
    /// `arguments` without the program's name. Throws one line for the operator, with exit status 64.
    static func parse(
        _ arguments: [String], environment: [String: String] = Environment.current
    ) throws(StartFailure) -> Invocation {
        var settings = Settings()
        if let path = environment["MEMCACHED_PORT_FILENAME"], !path.isEmpty { settings.portFile = path }
        for word in try words(arguments) {
            let option = word.option
            if case .refused(let reason) = option.status { throw .usage("\(option.name): \(reason)") }
            switch option.outcome {
            case .showHelp: return .print(Help.text)
            case .showVersion: return .print(Help.version)
            case .showLicence: return .print(Help.licence)
            case .run: break
            }
            if case .letter("o", _) = option.spelling {
                for (extended, value) in try extendedWords(word.argument ?? "") {
                    try store(extended, value, in: &settings)
                }
            } else {
                try store(option, word.argument, in: &settings)
            }
        }
        try settings.check()
        return .run(settings)
    }

    private static func store(
        _ option: Option, _ argument: String?, in settings: inout Settings
    ) throws(StartFailure) {
        if case .refused(let reason) = option.status { throw .usage("\(option.name): \(reason)") }
        let text = String((argument ?? "").drop { $0.isWhitespace })
        do {
            try option.store(&settings, text)
        } catch {
            let reason = (error as? BadValue)?.reason ?? "\(error)"
            throw .usage("\(option.name) \(quoted(text)): \(reason)")
        }
        if option.status == .noEffect { settings.withoutEffect.append(option.name) }
    }

    // MARK: Letters and long names

    private struct Word {
        let option: Option
        let argument: String?
    }

    /// getopt keeps its place in global variables.
    private static let getoptLock = Guarded(())

    private static func words(_ arguments: [String]) throws(StartFailure) -> [Word] {
        let result: Result<[Word], StartFailure> = getoptLock.withLock { _ in
            Result { () throws(StartFailure) in try unguardedWords(arguments) }
        }
        return try result.get()
    }

    private static func unguardedWords(_ arguments: [String]) throws(StartFailure) -> [Word] {
        // getopt reorders the array it is given; it gets one of its own.
        let texts = (["larder"] + arguments).map { strdup($0) }
        defer { for text in texts { free(text) } }
        guard !texts.contains(nil) else { throw .system("no memory for the options") }
        var argv = texts + [nil]
        let count = Int32(texts.count)
        var words: [Word] = []
        var isFirst: Int32 = 1
        while true {
            var argument: UnsafePointer<CChar>?
            var culprit: Int32 = 0
            var next: Int32 = 0
            let found = longNames.withUnsafeOptions { options in
                csys_next_option(count, &argv, letters, options, isFirst, &argument, &culprit, &next)
            }
            isFirst = 0
            guard found != -1 else {
                guard next >= count else {
                    throw .usage("\(quoted(String(cString: argv[Int(next)]!))): not an option")
                }
                return words
            }
            guard let option = byCode[found] else {
                throw fault(found, culprit, at: argv[Int(max(1, next - 1))].map { String(cString: $0) } ?? "")
            }
            words.append(Word(option: option, argument: argument.map { String(cString: $0) }))
        }
    }

    private static func fault(_ found: Int32, _ culprit: Int32, at text: String) -> StartFailure {
        let letter = culprit > 0x20 && culprit < 0x7F ? "-\(Character(UnicodeScalar(UInt8(culprit))))" : ""
        if found == 0x3A { return .usage("\(letter.isEmpty ? text : letter): needs a value") }
        // getopt names the letter also when a long option without an argument was given one.
        if text.hasPrefix("--") {
            return .usage("\(quoted(text)): no such option, or not so (-h lists them)")
        }
        return .usage("\(letter.isEmpty ? quoted(text) : letter): no such option (-h lists them)")
    }

    private static let extendedLetter = Option(
        spelling: .letter("o", long: "extended"), argument: .required("list"))

    private static let lettered = OptionTable.all.filter { option in
        if case .letter = option.spelling { true } else { false }
    } + [extendedLetter]

    /// Every option of getopt's with the number that getopt returns for it: its letter's, or one beyond all
    /// letters.
    private static let coded: [(code: Int32, option: Option)] = {
        let long = OptionTable.all.filter { if case .long = $0.spelling { true } else { false } }
        return (lettered + long).enumerated().compactMap { index, option in
            switch option.spelling {
            case .letter(let letter, _): letter.asciiValue.map { (Int32($0), option) }
            case .long: (256 + Int32(index), option)
            case .extended: nil
            }
        }
    }()

    private static let byCode = Dictionary(coded.map { ($0.code, $0.option) }) { first, _ in first }

    /// getopt's short form: a colon after a letter that takes an argument; the one in front makes a missing
    /// argument tellable from an unknown option.
    private static let letters = lettered.reduce(into: ":") { text, option in
        guard case .letter(let letter, _) = option.spelling else { return }
        text.append(letter)
        if case .required = option.argument { text.append(":") }
    }

    private static let longNames = LongNames(coded)

    // MARK: Words of -o

    private static func extendedWords(_ list: String) throws(StartFailure) -> [(Option, String?)] {
        var found: [(Option, String?)] = []
        var parts = list.split(separator: ",", omittingEmptySubsequences: false)
        if parts.count > 1, parts.last == "" { parts.removeLast() }
        for part in parts {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = halves.first, let option = byWord[String(name)] else {
                throw .usage("Illegal suboption \(quoted(String(part)))")
            }
            let value = halves.count > 1 ? String(halves[1]) : nil
            switch option.argument {
            case .none where value != nil: throw .usage("\(option.name): takes no value")
            case .required where value == nil: throw .usage("\(option.name): needs a value")
            default: found.append((option, value))
            }
        }
        return found
    }

    private static let byWord: [String: Option] = {
        var found: [String: Option] = [:]
        for option in OptionTable.all {
            if case .extended(let word) = option.spelling { found[word] = option }
        }
        return found
    }()

    /// In quotes, cut to a length that fits a line, control characters made visible.
    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        Log.appendPrintable(String(text.prefix(80)).utf8, to: &bytes)
        return "\"" + String(decoding: bytes, as: UTF8.self) + (text.count > 80 ? "...\"" : "\"")
    }
}

/// getopt_long's array of long names, built once; it is never freed and never changes.
private struct LongNames: @unchecked Sendable {
    // Safe to share: written before `init` returns, read only from then on.
    private let options: UnsafeMutablePointer<option>

    init(_ table: [(code: Int32, option: Option)]) {
        var entries: [option] = []
        for (code, entry) in table {
            let long: String
            switch entry.spelling {
            case .letter(_, let name), .long(let name): long = name
            case .extended: continue
            }
            guard !long.isEmpty else { continue }
            let takes: Int32 =
                switch entry.argument {
                case .none: no_argument
                case .required: required_argument
                case .optional: optional_argument
                }
            entries.append(option(name: strdup(long), has_arg: takes, flag: nil, val: code))
        }
        entries.append(option(name: nil, has_arg: 0, flag: nil, val: 0))
        options = .allocate(capacity: entries.count)
        options.initialize(from: entries, count: entries.count)
    }

    func withUnsafeOptions<R>(_ body: (UnsafePointer<option>) -> R) -> R { body(options) }
}
