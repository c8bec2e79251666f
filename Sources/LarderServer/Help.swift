// What -h, -V and -i print: the option table laid out, the versions, the licence.
import LarderProtocol

enum Help {
    static let version = "larder \(Version.larder) (answers as memcached \(SessionOptions().version))\n"

    static let licence = """
        larder \(Version.larder)
        Use of Larder is governed by the licence that its source tree carries.
        It uses libevent (3-clause BSD licence, Niels Provos and Nick Mathewson), for TLS OpenSSL
        (Apache License 2.0, The OpenSSL Project Authors), and the Swift runtime
        (Apache License 2.0 with Runtime Library Exception, Apple Inc. and the Swift project authors).

        """

    static let text: String = {
        var text = "larder \(Version.larder), a cache that speaks memcached's text protocols\n"
            + "Usage: larder [options]             serve\n"
            + "       larder top [address]...      watch daemons; see larder top --help\n"
            + "       larder --health [address]    exit with 0 if the daemon there (or at -p, -s) answers\n"
        for group in Option.Group.allCases {
            let members = OptionTable.all.filter { $0.group == group && isListed($0) }
            guard !members.isEmpty else { continue }
            text += "\n\(group.rawValue):\n"
            text += group == .ignored ? wrapped(members.map(word)) : members.map(entry).joined()
        }
        return text
    }()

    static func isListed(_ option: Option) -> Bool {
        switch option.status {
        case .works: !option.help.isEmpty
        case .noEffect: true
        case .refused: false
        }
    }

    private static let column = 34

    /// The spelling, then the text from a fixed column on.
    private static func entry(_ option: Option) -> String {
        var left = "  "
        let argument: String =
            switch option.argument {
            case .none: ""
            case .required(let word): "=<\(word)>"
            case .optional(let word): "[=<\(word)>]"
            }
        switch option.spelling {
        case .letter(let letter, ""): left += "-\(letter) \(argument.dropFirst())"
        case .letter(let letter, let long): left += "-\(letter), --\(long)\(argument)"
        case .long(let name): left += "    --\(name)\(argument)"
        case .extended(let word): left += word + argument
        }
        var lines = option.help.split(separator: "\n").map(String.init)
        if left.count >= column {
            lines.insert(left, at: 0)
        } else {
            lines[0] = left + String(repeating: " ", count: column - left.count) + lines[0]
        }
        let indent = String(repeating: " ", count: column)
        return lines.enumerated().map { $0.offset == 0 ? $0.element : indent + $0.element }
            .joined(separator: "\n") + "\n"
    }

    private static func word(_ option: Option) -> String {
        guard case .extended(let word) = option.spelling else { return option.name }
        return option.argument == .none ? word : word + "="
    }

    /// Words with commas, broken into lines.
    private static func wrapped(_ words: [String]) -> String {
        var text = ""
        var line = " "
        for (index, word) in words.enumerated() {
            let piece = " " + word + (index + 1 < words.count ? "," : "")
            if line.count + piece.count > 96 {
                text += line + "\n"
                line = " "
            }
            line += piece
        }
        return text + line + "\n"
    }
}
