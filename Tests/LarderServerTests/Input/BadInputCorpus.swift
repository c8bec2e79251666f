// The corpus of bad input: one function per kind, rows made from tables of what can be wrong.

enum BadInputCorpus {
    static var all: [BadInput] {
        lines + numbers + lengths + blocks + halves + crumbs + strangers + metaFlags + keys + smuggled
            + controls
    }

    private static func repeated(_ text: String, _ count: Int) -> String {
        String(repeating: text, count: count)
    }

    /// Lines without end, lines of one kind of byte, NULs, wrong line ends.
    static var lines: [BadInput] {
        var rows: [BadInput] = []
        for count in [2047, 2048, 2049, 65_535, 65_536, 65_537, 1 << 20] {
            for (name, byte) in [("x", 0x78), ("blanks", 0x20), ("NULs", 0), ("CRs", 13), ("0xFF", 0xFF)] {
                let bytes = [UInt8](repeating: UInt8(byte), count: count)
                rows.append(BadInput("\(count) \(name) without a line end", bytes))
                rows.append(BadInput("\(count) \(name), then a line end", bytes + [10]))
            }
            for verb in ["get ", "gets ", "gat 0 ", "set ", "mg ", "ms ", "incr ", "stats ", "watch "] {
                rows.append(BadInput("\(verb)and \(count) bytes", verb + repeated("k", count)))
                rows.append(BadInput("\(verb)and \(count) blanks", verb + repeated(" ", count)))
            }
        }
        rows.append(BadInput("line feeds only", repeated("\n", 5000)))
        rows.append(BadInput("CR LF only", repeated("\r\n", 5000)))
        rows.append(BadInput("LF CR", "get a\n\rget b\n\r"))
        rows.append(BadInput("NULs in words", "get a\0b\r\nse\0t a 0 0 1\r\nx\r\nget \0\r\n\0\r\n"))
        rows.append(BadInput("every byte alone", (0...255).flatMap { [UInt8($0), 13, 10] }))
        rows.append(
            BadInput(
                "every byte behind get",
                (1...255).flatMap {
                    Array("get k".utf8) + [UInt8($0), 13, 10]
                }))
        return rows
    }

    static let edges = [
        "-18446744073709551616", "-9223372036854775809", "-9223372036854775808", "-4294967297",
        "-4294967296", "-2147483649", "-2147483648", "-2147483647", "-1", "-0", "0",
        "00000000000000000000001",
        "1073741824", "2147483645", "2147483646", "2147483647", "2147483648", "2147483649", "4294967294",
        "4294967295", "4294967296", "4294967297", "9223372036854775806", "9223372036854775807",
        "9223372036854775808", "9223372036854775809", "18446744073709551614", "18446744073709551615",
        "18446744073709551616", "18446744073709551617", "100000000000000000000000000000", "+1", "0x10", "1e3",
        "1.5", "--1", "-", "+", "nan", "1x", "\u{661}",
    ]

    /// Where `#` stands, each edge is put.
    private static let numberPlaces = [
        "set n # 0 1\r\nx\r\n", "set n 0 # 1\r\nx\r\n", "add n # # 1\r\nx\r\n", "append n # # 1\r\nx\r\n",
        "cas n 0 0 1 #\r\nx\r\n", "cas n # # 1 # noreply\r\nx\r\n",
        "set c 0 0 1\r\n5\r\nincr c #\r\n", "set c 0 0 1\r\n5\r\ndecr c #\r\n",
        "set c 0 0 20\r\n18446744073709551615\r\nincr c #\r\n", "touch n #\r\n", "gat # n\r\n",
        "gats # n\r\n", "verbosity #\r\n",
        "ms n 1 T#\r\nx\r\n", "ms n 1 F#\r\nx\r\n", "ms n 1 C#\r\nx\r\n", "ms n 1 E#\r\nx\r\n",
        "ms n 1 I C# c\r\nx\r\n", "mg n T# v\r\n", "mg n N# v\r\n", "mg n R# v\r\n", "mg n E# c\r\n",
        "md m C#\r\n", "md m I T#\r\n", "md m E#\r\n", "ma c D#\r\n", "ma c N# J#\r\n", "ma c C#\r\n",
        "ma c MD D#\r\n", "ma c T# v t\r\n", "cache_memlimit #x\r\n", "stats cachedump # 10\r\n",
        "stats cachedump 1 #\r\n", "slabs reassign # #\r\n", "slabs automove #x\r\n",
        "lru tune # # # #\r\n", "lru_crawler crawl #\r\n", "lru_crawler sleep #\r\n",
        "lru_crawler tocrawl #\r\n", "lru_crawler metadump #\r\n", "lru temp_ttl -1\r\nget #\r\n",
    ]

    static var numbers: [BadInput] {
        numberPlaces.flatMap { place in
            edges.map { edge in
                BadInput("\(edge) in \(place.prefix { $0 != "\r\n" })", place.replacing("#", with: edge))
            }
        }
    }

    /// Every edge as the length of a value, followed by little, by much, and by nothing.
    static var lengths: [BadInput] {
        edges.flatMap { edge in
            ["set n 0 0 #", "add n 0 0 # noreply", "append n 0 0 #", "cas n 0 0 # 1", "ms n #", "ms n # q"]
                .flatMap { line in
                    let head = line.replacing("#", with: edge) + "\r\n"
                    return [
                        BadInput("length \(edge), nothing behind", head),
                        BadInput("length \(edge), reset", head + "ab", .reset),
                        BadInput("length \(edge), a value behind", head + repeated("v", 5000) + "\r\n"),
                    ]
                }
        }
    }

    /// Values that are missing, too short, too long, or end in something else.
    static var blocks: [BadInput] {
        var rows: [BadInput] = []
        for size in [0, 1, 2, 100, 2046, 2047, 2048, 2049, 4096, 16_384, 65_536, 200_000] {
            let value = repeated("b", size)
            for line in ["set b 0 0 \(size)", "append b 0 0 \(size)", "cas b 0 0 \(size) 1", "ms b \(size)"] {
                let head = line + "\r\n"
                for end in ["", "\r", "\n", "\n\r", "  ", "x\r\n", "\0\0", "\r\r\n", "get"] {
                    rows.append(BadInput("\(line) ended by \(printable(end.utf8))", head + value + end))
                }
                rows.append(BadInput("\(line) without its value", head))
                rows.append(BadInput("\(line) one byte short", head + value.dropLast() + "\r\n"))
                rows.append(BadInput("\(line) twice as long", head + value + value + "\r\n"))
            }
        }
        return rows
    }

    private static let requests = [
        "get half\r\n", "gets half other\r\n", "gat 10 half\r\n", "set half 0 0 5\r\nvalue\r\n",
        "cas half 0 0 5 7\r\nvalue\r\n", "append half 0 0 5 noreply\r\nvalue\r\n", "incr half 10\r\n",
        "delete half noreply\r\n", "touch half 10\r\n", "ms half 5 T0 F1 I c\r\nvalue\r\n",
        "mg half t f v k O1 q\r\n", "md half q\r\n", "ma half N0 J5 v\r\n", "me half\r\n", "mn\r\n",
        "stats settings\r\n", "verbosity 2\r\n", "version\r\n", "lru_crawler metadump 99\r\n",
    ]

    /// Every request cut at every byte, and the client gone in every way.
    static var halves: [BadInput] {
        requests.flatMap { request in
            (1..<request.utf8.count).flatMap { cut in
                BadInput.Ending.allCases.map { ending in
                    BadInput("half a request, \(ending)", Array(request.utf8.prefix(cut)), ending)
                }
            }
        }
    }

    static var crumbs: [BadInput] {
        requests.map { BadInput("a byte at a time", $0, inCrumbs: true) }
            + [
                BadInput("a refused line a byte at a time", "set a b c d\r\nvalue\r\n", inCrumbs: true),
                BadInput(
                    "a long value a byte at a time",
                    "set a 0 0 5000\r\n" + repeated("v", 5000) + "\r\n", inCrumbs: true,
                    answer: "STORED\r\n"),
            ]
    }

    /// Other protocols.
    static var strangers: [BadInput] {
        let hello: [UInt8] =
            [
                0x16, 3, 1, 0, 0x2F, 1, 0, 0, 0x2B, 3, 3,
            ] + [UInt8](repeating: 7, count: 32) + [0, 0, 4, 0x13, 1, 0, 0xFF, 1, 0]
        var rows = [
            BadInput("TLS hello", hello), BadInput("TLS hello, reset", hello, .reset),
            BadInput("SSLv2 hello", [0x80, 0x2E, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]),
            BadInput("SSH", "SSH-2.0-OpenSSH_9.2\r\n"), BadInput("SMTP", "EHLO here\r\nQUIT\r\n"),
            BadInput("Redis", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"),
            BadInput("Redis inline", "PING\r\nFLUSHALL\r\n"),
            BadInput("PROXY protocol", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nget a\r\n"),
            BadInput("memcached's UDP frame", [0, 1, 0, 0, 0, 1, 0, 0] + Array("get a\r\n".utf8)),
        ]
        for verb in ["GET", "POST", "HEAD", "PUT", "OPTIONS"] {
            rows.append(
                BadInput(
                    "HTTP \(verb)",
                    "\(verb) / HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\nflush_all\r\n", answer: "")
            )
        }
        // Binary protocol: magic, opcode, key length, extras, body length.
        for opcode in [0, 1, 4, 8, 0x0A, 0x10, 0x20, 0x21, 0xFF] as [UInt8] {
            for lengths in [[0, 0, 0, 0, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0xFF]]
                as [[UInt8]]
            {
                let frame =
                    [0x80, opcode, lengths[0], lengths[1], lengths[2], 0, 0, 0] + lengths[4...]
                    + [UInt8](repeating: 0, count: 12)
                rows.append(BadInput("binary frame \(opcode)", frame, answer: ""))
                rows.append(BadInput("binary answer \(opcode)", [0x81] + frame.dropFirst()))
            }
        }
        return rows
    }

    /// Every flag letter with every kind of rubbish behind it, on every meta command.
    static var metaFlags: [BadInput] {
        let rubbish = [
            "", "x", "-1", "0", "99999999999999999999", "\0", "\u{7F}", "=", "é", repeated("9", 300),
        ]
        let letters = (0x21...0x7E).map { String(UnicodeScalar(UInt8($0))) }
        return letters.flatMap { letter in
            ["mg m", "ms m 2", "md m", "ma m", "me m"].map { command in
                let value = command.hasPrefix("ms") ? "ab\r\n" : ""
                let talk = rubbish.map { "\(command) \(letter)\($0)\r\n\(value)" }.joined()
                return BadInput("flag \(letter) of \(command)", talk)
            }
        } + [
            BadInput("a thousand flags", "mg m " + repeated("v ", 900) + "\r\n"),
            BadInput("21 words", "mg m " + (0..<20).map { "O\($0)" }.joined(separator: " ") + "\r\n"),
            BadInput("all flags", "mg m b c f h k l O1 q s t u v x E1 N1 R1 T1 C1 I L P\r\n"),
            BadInput("opaque of 2000", "mg m v O" + repeated("o", 2000) + "\r\n"),
            BadInput("opaque of 2000 with a value", "ms m 2 O" + repeated("o", 2000) + "\r\nab\r\n"),
        ] + [31, 32, 33, 34, 255].map { BadInput("opaque of \($0)", "mn\r\nmg m O\(repeated("o", $0))\r\n") }
    }

    /// Keys that are too long, and base64 that is none.
    static var keys: [BadInput] {
        let bad = [
            "=", "==", "A", "A=", "AA=", "AAA", "====", "A===", "AB=C", "AA==AA==", "!!!!", "AAAA=",
            "\u{FF}AAA",
            "A A A", repeated("A", 336), repeated("A", 340), repeated("/", 2000), "AAA\0",
        ]
        return bad.flatMap { key in
            ["mg \(key) b v k", "md \(key) b", "ma \(key) b N0", "me \(key) b", "ms \(key) 2 b\r\nab"]
                .map { BadInput("base64 \(key.prefix(20))", $0 + "\r\n") }
        }
            + [250, 251, 252, 255, 256, 1000, 2000].flatMap { length in
                let key = repeated("k", length)
                return [
                    "get \(key)", "get a \(key) b", "gat 0 \(key)", "set \(key) 0 0 1\r\nx", "incr \(key) 1",
                    "delete \(key)", "touch \(key) 0", "mg \(key) v", "ms \(key) 1\r\nx", "ma \(key)",
                    "me \(key)",
                ].map { BadInput("a key of \(length)", $0 + "\r\n") }
            }
    }

    /// Values that are refused but whose length is known: what looks like commands in them isn't any. Had the
    /// `flush_all` in them been obeyed, the sentinels would be gone.
    static var smuggled: [BadInput] {
        let hidden = "flush_all\r\ndelete sentinel:1\r\nset sentinel:2 0 0 1\r\n!\r\n"
        let longKey = repeated("k", 251)
        var rows: [BadInput] = []
        for (times, size) in [(1, hidden.utf8.count), (40, 40 * hidden.utf8.count)] {
            let value = repeated(hidden, times)
            let heads = [
                ("set \(longKey) 0 0 \(size)", "CLIENT_ERROR bad command line format"),
                ("set k x 0 \(size)", "CLIENT_ERROR bad command line format"),
                ("set k 0 x \(size)", "CLIENT_ERROR bad command line format"),
                ("cas k 0 0 \(size) x", "CLIENT_ERROR bad command line format"),
                ("ms \(longKey) \(size)", "CLIENT_ERROR bad command line format"),
                ("ms k \(size) MZ", "CLIENT_ERROR invalid mode for ms M token"),
                ("ms k \(size) T1 T1", "CLIENT_ERROR duplicate flag"),
                ("ms k \(size) y", "CLIENT_ERROR invalid flag"),
                ("ms !!! \(size) b", "CLIENT_ERROR error decoding key"),
                ("append none 0 0 \(size)", "NOT_STORED"), ("replace none 0 0 \(size)", "NOT_STORED"),
                ("cas none 0 0 \(size) 1", "NOT_FOUND"), ("add sentinel:3 0 0 \(size)", "NOT_STORED"),
            ]
            for (head, answer) in heads {
                for crumbs in [false, true] where times == 1 || !crumbs {
                    rows.append(
                        BadInput(
                            "hidden behind \(head.suffix(30))",
                            head + "\r\n" + value + "\r\nmn\r\n", inCrumbs: crumbs,
                            answer: answer + "\r\nMN\r\n"))
                }
            }
        }
        let huge = repeated(hidden, (2 << 20) / hidden.utf8.count)
        for head in ["set k 0 0 \(huge.utf8.count)", "ms k \(huge.utf8.count)"] {
            rows.append(
                BadInput(
                    "hidden in a value that is too large", head + "\r\n" + huge + "\r\nmn\r\n",
                    answer: "SERVER_ERROR object too large for cache\r\nMN\r\n"))
            rows.append(BadInput("hidden in a value that is too large, reset", head + "\r\n" + huge, .reset))
        }
        return rows
    }

    /// Bytes that would write on an operator's terminal.
    static var controls: [BadInput] {
        ["\u{1B}[2J\u{1B}]0;owned\u{7}", "\u{8}\u{8}\u{8}", "\u{9B}31m", "a\u{7F}b", "\rfake log line"]
            .flatMap {
                [
                    "get \($0)\r\n", "set \($0) 0 0 1\r\nx\r\nget \($0)\r\n", "\($0)\r\n", "stats \($0)\r\n",
                    "verbosity \($0)\r\n", "ms \($0) 1\r\nx\r\n", "watch \($0)\r\n",
                ]
                .map { BadInput("control characters", $0) }
            }
    }
}
