// Nonsense on the command line: for every option of the table, by the kind of its value, what must be
// refused, and that the daemon then ends with one line and exit status 64. An option that is added without a
// kind fails here.
import Foundation
import Testing

@testable import LarderServer

/// What an option's value is.
private enum Kind {
    /// A whole number in these limits.
    case number(ClosedRange<Int>)
    case fraction
    case size
    case octal
    case path
    case address
    case user
    case choice
    case character
    case sizes
    case text

    var nonsense: [String] {
        let noNumber = [
            "x", "1x", "x1", "1 2", "1,2", "1.5", "0x10", "1e3", "--1", "1-", "+-1", "٣", "½",
            "99999999999999999999", "-99999999999999999999", "9223372036854775808", "\u{1B}[2J", "1\n2",
        ]
        return switch self {
        case .number(let range): noNumber + ["\(range.lowerBound - 1)", "\(range.upperBound + 1)"]
        case .fraction: ["x", "1x", "-1", "0", "nan", "inf", "1e3", "0x1p3", "1.2.3", ".", "٣", "1,5"]
        case .size: ["x", "k", "1kk", "1g", "-1k", "1.5m", "1k5", "99999999999999999999", "0", "2048m", "٣k"]
        case .octal: ["8", "789", "1000", "-1", "x", "0o7", "0x7", "rwx"]
        case .path, .user, .text: []
        case .address: [",", ";", "[", "[]", "[::1", ":80", "127.0.0.1:x", "127.0.0.1:70000", "a b", "\n"]
        case .choice: ["x", "0", "-1", "AUTO "]
        case .character: ["ab", "\u{1}", "é", "\u{7F}"]
        case .sizes: ["x", "-", "100-", "-100", "100-50", "100-x", "47-100", "100-2000000", "٣"]
        }
    }
}

private let kinds: [String: Kind] = [
    "-p": .number(-1...65535), "-U": .number(-1...65535), "-l": .address, "-s": .path, "-a": .octal,
    "-Y": .path, "-c": .number(1...10_000_000), "-b": .number(1...Int(Int32.max)),
    "-R": .number(1...Int(Int32.max)), "--http": .address, "-B": .choice, "-m": .number(1...(1 << 20)),
    "-I": .size, "-f": .fraction, "-n": .number(1...(1 << 20)), "-D": .character, "-t": .number(1...256),
    "-P": .path, "-u": .user, "-v": .number(0...3),
    "-o idle_timeout": .number(0...Int(Int32.max)), "-o max_items": .number(0...(1 << 32)),
    "-o default_ttl": .number(0...Int(Int32.max)), "-o slab_sizes": .sizes,
    "-o slab_automove": .number(0...2), "-o watcher_logbuf_size": .number(1...(1 << 21)),
    "-o worker_logbuf_size": .number(1...(1 << 21)), "-o hashpower": .number(12...32),
    "-o hash_algorithm": .choice, "-o slab_automove_ratio": .fraction,
    "-o slab_automove_window": .number(3...1800), "-o slab_chunk_max": .number(1...1024),
    "-o lru_crawler_sleep": .number(0...1_000_000), "-o lru_crawler_tocrawl": .number(0...Int(UInt32.max)),
    "-o hot_lru_pct": .number(1...79), "-o warm_lru_pct": .number(1...79), "-o hot_max_factor": .fraction,
    "-o warm_max_factor": .fraction, "-o temporary_ttl": .number(0...Int(Int32.max)),
    "-o tail_repair_time": .number(10...Int(Int32.max)), "-o read_buf_mem_limit": .number(0...4095),
    "-o resp_obj_mem_limit": .text, "-o ssl_chain_cert": .path, "-o ssl_key": .path,
    "-o ssl_keyformat": .number(1...2), "-o ssl_verify_mode": .number(0...3), "-o ssl_ca_cert": .path,
    "-o ssl_ciphers": .text, "-o ssl_min_version": .number(2...3), "-o ssl_wbuf_size": .number(1...(1 << 20)),
]

@Suite struct NonsenseTests {
    private func words(_ option: Option, _ value: String?) -> [String] {
        switch option.spelling {
        case .letter(let letter, let long):
            // An optional value belongs to the long name only.
            if case .optional = option.argument { return ["--" + long + (value.map { "=" + $0 } ?? "")] }
            return ["-\(letter)"] + (value.map { [$0] } ?? [])
        case .long(let name): return ["--\(name)"] + (value.map { [$0] } ?? [])
        case .extended(let word): return ["-o", word + (value.map { "=" + $0 } ?? "")]
        }
    }

    private func refusal(_ words: [String]) -> StartFailure? {
        do {
            _ = try OptionParser.parse(words, environment: [:])
            return nil
        } catch {
            return error
        }
    }

    private static let withValue = OptionTable.all.filter { option in
        if case .refused = option.status { return false }
        return option.argument != .none
    }

    @Test func everyOptionHasAKind() {
        let names = Set(Self.withValue.map(\.name))
        #expect(names.symmetricDifference(kinds.keys).isEmpty)
    }

    @Test func nonsenseIsRefused() throws {
        for option in Self.withValue {
            let kind = try #require(kinds[option.name], "\(option.name)")
            var values = kind.nonsense
            if case .required = option.argument { values += ["", " ", "\t"] }
            // The comma and the equals sign belong to -o itself.
            if case .extended = option.spelling { values.removeAll { $0.contains(",") } }
            for value in values {
                let failure = refusal(words(option, value))
                #expect(failure?.exitCode == 64, "\(option.name) \(value.debugDescription)")
                let text = failure?.message ?? ""
                #expect(text.utf8.count < 200 && text.utf8.allSatisfy { $0 >= 0x20 }, "\(text)")
                #expect(text.hasPrefix(option.name) || text.hasPrefix("Illegal suboption"), "\(text)")
            }
            if case .required = option.argument {
                #expect(refusal(words(option, nil))?.exitCode == 64, "\(option.name) without a value")
            }
        }
    }

    @Test func switchesTakeNoValue() {
        for option in OptionTable.all where option.argument == .none {
            guard case .extended(let word) = option.spelling, option.status != .refused("") else { continue }
            #expect(refusal(["-o", word + "=1"])?.exitCode == 64, "-o \(word)=1")
        }
    }

    /// The limits themselves are no nonsense.
    @Test func limitsAreAccepted() throws {
        for option in Self.withValue {
            guard case .number(let range)? = kinds[option.name], option.status == .works else { continue }
            // What is judged together with others: -n with -I, TLS with its certificate.
            if option.name == "-n" || option.name.hasPrefix("-o ssl") { continue }
            var bounds = [range.lowerBound, range.upperBound]
            if option.name == "-m" { bounds = [2, range.upperBound] }
            for value in bounds {
                #expect(refusal(words(option, "\(value)")) == nil, "\(option.name) \(value)")
            }
        }
    }

    /// The same by the program: one line, the right exit status, nothing started.
    @Test(arguments: [
        ["-l", ""], ["-m", "-1"], ["-p", "99999"], ["-t", "0"], ["-o", "idle_timeout=x"], ["-Y", ""],
        ["-Y", "/nonexistent"], ["-Y", "/dev/null"], ["--http", "x:y"], ["-Z"], ["-a", "rwx"], ["stray"],
        ["-m", "64\u{1B}[2J"], ["-U", "-1", "-Y", "/etc/hostname"],
    ])
    func theProgramSaysSo(_ words: [String]) throws {
        let user = Surroundings.runsAsRoot ? ["-u", "root"] : []
        let said = try ChildProcess.run(Surroundings.daemon, user + words)
        #expect(said.ending == .exited(64), "\(said.errors)")
        #expect(said.output.isEmpty && said.errors.hasPrefix("larder: "))
        #expect(said.errors.split(separator: "\n").count == 1 && said.errors.hasSuffix("\n"))
    }
}
