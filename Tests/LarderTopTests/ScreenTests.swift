// The screen of `larder top` as the pure function it is: any model in any size, and what keys do to it.
import Testing

@testable import LarderTop

@Suite struct ScreenTests {
    /// A sample of a daemon with counters that stand for `time` seconds of steady work.
    private func sample(_ time: Double, pid: String = "1", value: String? = nil) -> Sample {
        var sample = Sample(time: time)
        let steady: [String: Double] = [
            "cmd_get": 1000, "get_hits": 900, "get_misses": 100, "cmd_set": 50, "evictions": 5,
            "bytes_read": 2048, "bytes_written": 4096, "total_connections": 1,
        ]
        for (name, perSecond) in steady { sample.general[name] = value ?? "\(Int(perSecond * time))" }
        for (name, fixed) in [
            ("pid", pid), ("version", "1.6.45"), ("uptime", "100"), ("threads", "4"),
            ("curr_items", "12345"),
            ("bytes", "33554432"), ("limit_maxbytes", "67108864"), ("curr_connections", "7"),
        ] { sample.general[name] = value ?? fixed }
        for number in 1...30 {
            var one = ClassSample(number: number)
            one.values = [
                "chunk_size": 96, "chunks_per_page": 10922, "total_pages": Double(number), "number": 7,
                "get_hits": Double(number) * time,
            ]
            sample.classes.append(one)
        }
        sample.clients = (0..<40).map { number in
            var client = ClientSample(descriptor: number)
            client.address = value ?? "tcp:127.0.0.1:\(5000 + number)"
            client.state = value ?? "conn_read"
            client.idle = Double(number)
            return client
        }
        return sample
    }

    private func model(_ count: Int = 1, value: String? = nil) -> TopModel {
        var model = TopModel(names: (0..<count).map { "cache\($0).example:11211" })
        for number in 0..<count {
            model.readings[number].take(sample(10, value: value))
            model.readings[number].take(sample(12, value: value))
        }
        model.clock = "12:34:56"
        return model
    }

    @Test func everySizeIsFilledAndNotExceeded() {
        var down = model(3)
        down.readings[1].fail("Connection refused")
        var helping = model()
        helping.showsHelp = true
        var waiting = TopModel(names: ["a"])
        waiting.view = .clients
        for var model in [model(), model(30), down, helping, waiting] {
            for view in View.allCases {
                model.view = view
                for width in [1, 9, 20, 39, 50, 80, 120] {
                    for height in [1, 4, 5, 6, 15, 24, 70] {
                        let lines = Screen.render(model, width: width, height: height)
                        #expect(lines.count == height || height <= 4)
                        #expect(lines.count <= height && lines.allSatisfy { $0.width <= width })
                    }
                    _ = Screen.render(model, width: width, height: nil)
                }
            }
        }
    }

    @Test func figuresStandInTheirColumns() {
        let lines = Screen.render(model(2), width: 80, height: 24).map(\.text)
        #expect(lines[0].hasPrefix("larder top  2 daemons") && lines[0].hasSuffix("12:34:56  every 1 s"))
        #expect(
            lines[2].split(separator: " ").prefix(5) == ["DAEMON", "GET/s", "SET/s", "HIT%", "EVICT/s"])
        #expect(
            lines[3].split(separator: " ") == [
                "cache0.example:11211", "1000", "50", "90.0", "5.0", "12345", "50.0", "7", "4.00K",
            ], "\(lines[3])")
        #expect(lines[5].hasPrefix("all together") && lines[5].contains(" 2000 "))
        #expect(lines.contains { $0.contains("memcached 1.6.45, up 1m40s, pid 1, 4 threads") })
        #expect(lines.contains { $0.hasPrefix(" gets") && $0.contains("1000/s") && $0.hasSuffix("█") })
    }

    @Test func narrowScreensKeepWhatMattersMost() {
        let head = Screen.render(model(), width: 30, height: 10).map(\.text)[2]
        #expect(head.split(separator: " ") == ["DAEMON", "GET/s", "HIT%"])
    }

    @Test func aDaemonThatIsDownSaysSoAndIsNoPartOfTheTotal() {
        var model = model(2)
        model.readings[0].fail("Connection refused")
        let lines = Screen.render(model, width: 80, height: 24).map(\.text)
        #expect(lines[0].contains("2 daemons, 1 down"))
        #expect(lines[3].hasPrefix("cache0.example:11211 down: Connection refused"))
        #expect(lines[5].contains(" 1000 "))
        // Back again: one look without rates, then rates.
        model.readings[0].take(sample(20, pid: "2"))
        #expect(model.readings[0].rates.gets == nil)
        model.readings[0].take(sample(21, pid: "2"))
        #expect(model.readings[0].rates.gets == 1000)
    }

    @Test func countersThatFallMakeNoRate() {
        var reading = Reading(name: "a")
        reading.take(sample(10))
        reading.take(sample(11))
        reading.take(sample(3))
        #expect(reading.rates.gets == nil && reading.isUp)
        reading.take(sample(4))
        #expect(reading.rates.gets == 1000 && reading.rate("get_hits", of: 3) == 3)
    }

    @Test func anotherProcessIsNotMeasuredByTheLast() {
        var reading = Reading(name: "a")
        reading.take(sample(10))
        reading.take(sample(11, pid: "2"))
        #expect(reading.rates.gets == nil && reading.isUp)
    }

    @Test func nothingFromOutsideReachesTheTerminalRaw() {
        // Such a value can't come out of the reader; figures that are no numbers can.
        for value in ["x", "", "-5", "1e308", "18446744073709551615", "nan"] {
            var model = model(2, value: value)
            for view in View.allCases {
                model.view = view
                for line in Screen.render(model, width: 100, height: 40) {
                    #expect(line.text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 })
                }
            }
        }
    }

    @Test func plainTerminalsGetPlainSigns() {
        var model = model(2)
        model.isUnicode = false
        for view in View.allCases {
            model.view = view
            let lines = Screen.render(model, width: 120, height: 40)
            #expect(lines.allSatisfy { line in line.text.utf8.allSatisfy { $0 < 127 } })
        }
    }

    // MARK: Keys

    @Test func keysFromBytes() {
        let bytes = Array("q\u{1B}[A\u{1B}OB\u{1B}[5~\t\u{1B}[Z\r\u{7F}\u{1B}[15;3Rx\u{1B}".utf8)
        #expect(
            Key.keys(in: bytes[...]) == [
                .letter("q"), .up, .down, .pageUp, .tab, .backTab, .enter, .backspace, .letter("x"),
                .escape,
            ])
    }

    @Test func keysChangeTheModel() {
        var model = model(3)
        #expect(model.press(.tab) == .askNow && model.view == .classes)
        #expect(model.press(.left) == .askNow && model.press(.left) == .askNow && model.view == .clients)
        #expect(model.press(.down) == .none && model.scroll == 1)
        _ = model.press(.end)
        #expect(model.scroll == 39)
        #expect(Screen.render(model, width: 80, height: 24).count == 24)
        #expect(model.press(.letter("n")) == .askNow && model.selected == 1 && model.scroll == 0)
        #expect(model.press(.letter("1")) == .askNow && model.press(.up) == .askNow && model.selected == 0)
        #expect(model.press(.letter("h")) == .none && model.showsHelp && model.press(.tab) == .none)
        #expect(model.press(.letter("q")) == .quit)
    }

    @Test func theDelayIsTyped() {
        var model = model()
        for key in "d0.5" { _ = model.press(.letter(key)) }
        #expect(model.press(.enter) == .newDelay && model.delay == 0.5)
        for key in "d0" { _ = model.press(.letter(key)) }
        #expect(model.press(.enter) == .none && model.delay == 0.5)
        for key in "d9q" { _ = model.press(.letter(key)) }
        #expect(model.typed == nil && model.delay == 0.5)
    }

    @Test func rowsAreSortedByTheChosenColumn() {
        var model = model()
        model.view = .classes
        func first() -> String {
            Screen.render(model, width: 80, height: 24)[3].text.split(separator: " ").first.map(String.init)
                ?? ""
        }
        #expect(first() == "30")
        _ = model.press(.letter("r"))
        #expect(first() == "1")
        let isSorted = model.sort(by: "class")
        #expect(isSorted && first() == "1")
        let isNothing = model.sort(by: "nothing")
        #expect(!isNothing)
        for _ in 0..<40 { _ = model.press(.letter("s")) }
        #expect(Screen.render(model, width: 80, height: 24).count == 24)
    }

    // MARK: The command line

    @Test func optionsAsPeopleWriteThem() {
        for words in [
            ["-bn3", "-d.5", "a:1", "-wclasses"],
            ["-b", "-n", "3", "--delay=0.5", "--view", "classes", "a:1"],
        ] {
            guard case .run(let options) = TopOptions.parse(words) else {
                Issue.record("refused: \(words)")
                return
            }
            #expect(
                options.isBatch && options.count == 3 && options.delay == 0.5 && options.view == .classes)
            #expect(options.targets == [Target(place: .tcp(host: "a", port: "1"))])
        }
    }

    @Test(arguments: [
        ["-d"], ["-d", "0"], ["-d", "1e9"], ["-n", "0"], ["-n", "x"], ["-w", "x"], ["--nope"], ["-x"],
        ["a:b"],
        ["--batch=1"], Array(repeating: "a", count: 65),
    ])
    func whatMakesNoSenseIsRefused(_ arguments: [String]) {
        guard case .fault = TopOptions.parse(arguments) else {
            Issue.record("\(arguments) taken")
            return
        }
    }
}
