// The command line of `larder top`.
import Glibc

struct TopOptions: Equatable {
    var targets: [Target] = []
    var delay = 1.0
    /// Rounds to show; nil: until told to stop.
    var count: Int?
    var isBatch = false
    var view = View.daemons
    var sortColumn: String?
    var credentialsFile: String?

    static let delays = 0.1...3600.0

    enum Parsed: Equatable {
        case run(TopOptions)
        case help
        case fault(String)
    }

    static func parse(_ arguments: [String]) -> Parsed {
        var options = TopOptions()
        var rest = arguments[...]
        var onlyTargets = false
        while let word = rest.popFirst() {
            guard !onlyTargets, word.hasPrefix("-"), word != "-" else {
                guard let target = Target.parse(word) else {
                    return .fault("\(quoted(word)) is not HOST:PORT or the path of a unix socket")
                }
                options.targets.append(target)
                continue
            }
            if word == "--" {
                onlyTargets = true
                continue
            }
            guard let letters = letters(word) else {
                return .fault("\(quoted(word)): no such option (-h lists them)")
            }
            for (letter, attached) in letters {
                switch letter {
                case "h": return .help
                case "b": options.isBatch = true
                default:
                    guard let value = attached ?? rest.popFirst() else {
                        return .fault("-\(letter) needs a value")
                    }
                    if let fault = options.set(letter, value) { return .fault(fault) }
                }
            }
        }
        guard options.targets.count <= 64 else { return .fault("64 daemons at most") }
        if options.targets.isEmpty { options.targets = [.usual] }
        return .run(options)
    }

    private static let longNames: [String: Character] = [
        "--help": "h", "--batch": "b", "--delay": "d", "--count": "n", "--view": "w", "--sort": "s",
        "--auth-file": "Y",
    ]

    /// The letters of a word, the last with the value that is written with it: `-d2`, `--delay=2`, `-bn1`.
    /// Nil when it is no option.
    private static func letters(_ word: String) -> [(Character, String?)]? {
        if word.hasPrefix("--") {
            let halves = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let letter = longNames[String(halves[0])] else { return nil }
            let value = halves.count > 1 ? String(halves[1]) : nil
            return value != nil && "hb".contains(letter) ? nil : [(letter, value)]
        }
        var found: [(Character, String?)] = []
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard longNames.values.contains(letter) else { return nil }
            if "hb".contains(letter) {
                found.append((letter, nil))
            } else {
                found.append((letter, letters.isEmpty ? nil : String(letters)))
                break
            }
        }
        return found
    }

    private mutating func set(_ letter: Character, _ value: String) -> String? {
        switch letter {
        case "d":
            guard let delay = TopOptions.delay(value) else {
                return "-d \(TopOptions.quoted(value)): seconds from 0.1 to 3600"
            }
            self.delay = delay
        case "n":
            guard let count = Int(value), count > 0 else {
                return "-n \(TopOptions.quoted(value)): how many times, 1 or more"
            }
            self.count = count
        case "w":
            guard let view = View.allCases.first(where: { $0.title.lowercased() == value }) else {
                return "-w \(TopOptions.quoted(value)): daemons, classes or clients"
            }
            self.view = view
        case "s": sortColumn = value
        default: credentialsFile = value
        }
        return nil
    }

    static func delay(_ text: String) -> Double? {
        guard text.utf8.count < 16, text.allSatisfy({ "0123456789.".contains($0) }),
            let value = Double(text),
            delays.contains(value)
        else { return nil }
        return value
    }

    private static func quoted(_ text: String) -> String {
        "\"\(Figures.printable(text.utf8, limit: 80))\""
    }

    static let help = """
        Usage: larder top [options] [HOST:PORT | HOST | PORT | /path/of/socket]...
        Watches one or several daemons, Larder or memcached; without an address 127.0.0.1:11211.

          -d, --delay SECONDS    between two looks, 0.1 to 3600 (1)
          -n, --count COUNT      end after so many
          -b, --batch            plain text, one look after the other, for files and scripts; so it is also
                                 when standard output is no terminal
          -w, --view VIEW        begin with daemons, classes or clients (daemons)
          -s, --sort COLUMN      sort by the column of that title
          -Y, --auth-file FILE   log in as the first user:password line of that file
          -h, --help             this text

        Keys: left, right or Tab another view; up, down choose a daemon or scroll; n, N next and previous
        daemon; s sort by the next column, r the other way round; d another delay; space stop and go on;
        h help; q quit.

        Exit status: 0; 64 for a command line that makes no sense; 69 when a batch ends and a daemon is down.
        TLS is not spoken here: give the path of a unix socket, or a port without it.

        """
}
