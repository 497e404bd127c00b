import Testing
import WeirGates
import WeirWorld

@testable import WeirConsole

@Suite("What the console remembers")
struct HistoryTests {
    @Test("Rates are means over the window, and a counter that went back starts anew")
    func rates() {
        var window = RateWindow(window: .seconds(5))
        #expect(window.perSecond.isEmpty)
        for second in 0..<10 { window.add([UInt64(second * 100)], at: .zero + .seconds(second)) }
        #expect(window.perSecond == [100])
        window.add([5], at: .zero + .seconds(10))
        #expect(window.perSecond == [0])
        window.add([25], at: .zero + .seconds(12))
        #expect(window.perSecond == [10])
    }

    @Test("An hour of looks is kept in 90 points, each the highest of its ten seconds")
    func points() {
        var history = LevelHistory()
        var reading = GateReading.relay
        for second in 0..<3_600 {
            reading.level = Int64(second % 10)
            history.add(reading, at: .zero + .seconds(second))
        }
        #expect(history.points.count == LevelHistory.capacity)
        #expect(history.points.allSatisfy { $0.ratio == 9.0 / 5 })
    }

    @Test("Each change of state is kept once, the newest fifty")
    func transitions() {
        var history = LevelHistory()
        var reading = GateReading.relay
        for second in 0..<200 {
            reading.state = second / 2 % 2 == 0 ? .open : .blocking
            history.add(reading, at: .zero + .seconds(second))
        }
        #expect(history.transitions.count == LevelHistory.transitionsMost)
        #expect(history.transitions.last?.state == "blocking")
    }

    @Test("A gate that left is forgotten")
    func forgotten() {
        let node = FakeNode.busy()
        let observatory = Observatory(node: node)
        observatory.sample()
        #expect(observatory.look().histories.keys.sorted() == ["archive", "mirror", "relay", "siem"])
        node.gates.withdraw("relay")
        observatory.sample()
        #expect(observatory.look().histories["relay"] == nil)
    }

    @Test("Of very many connectors only the gates that somebody looks at are remembered")
    func veryMany() {
        let node = FakeNode.busy()
        for number in 0..<(Observatory.connectorGatesMost + 1) {
            var reading = GateReading.relay
            reading.id = "connector/\(number)"
            node.publish(reading)
        }
        let observatory = Observatory(node: node)
        observatory.sample()
        #expect(observatory.look().histories.keys.sorted() == ["archive", "mirror", "relay", "siem"])
        #expect(observatory.look(at: "connector/7").gates.contains { $0.id == "connector/7" })
        observatory.sample()
        #expect(observatory.look().histories["connector/7"] != nil)
        node.clock.advance(Observatory.watchedFor)
        observatory.sample()
        #expect(observatory.look().histories["connector/7"] == nil, "nobody has looked for a while")
    }

    @Test("A patch holds what changed and nothing else")
    func patches() {
        let node = FakeNode.busy()
        let observatory = Observatory(node: node)
        let first = LiveCells(observatory.look())
        #expect(first.changes(since: nil).cells.count == first.cells.count)
        let again = LiveCells(observatory.look()).changes(since: first)
        #expect(again.cells.isEmpty)
        #expect(again.order == nil)
        var relay = GateReading.relay
        relay.level = 4
        node.publish(relay)
        let changed = LiveCells(observatory.look()).changes(since: first).cells
        #expect(
            changed.keys.sorted() == [
                "fbar:relay", "ftext:relay", "lbar:relay", "level:relay", "line:0:relay", "ltext:relay", "note:0:relay",
            ])
        #expect(changed["level:relay"]?.t == "4 / 5 requests")
    }

    @Test("Every cell of a live message is on one of the pages, so nothing is sent in vain and nothing is forgotten")
    func cellsExist() {
        let node = FakeNode.busy()
        let observatory = Observatory(node: node)
        observatory.sample()
        let seen = observatory.look()
        let pages =
            OverviewPage(seen: seen).markup.text
            + seen.gates.map { GatePage(reading: $0, seen: seen).markup.text }.joined()
        for (id, cell) in LiveCells(seen).cells {
            #expect(pages.contains("id=\"\(Markup(id).text)\""), "\(id)")
            if let text = cell.t { #expect(pages.contains(">\(Markup(text).text)<"), "\(id): \(text)") }
            for (name, value) in cell.a ?? [:] {
                #expect(pages.contains("\(name)=\"\(Markup(value).text)\""), "\(id): \(name)")
            }
        }
    }

    @Test("Most pressed first: the worst state, then the fullest, then the name")
    func order() {
        let seen = Observatory(node: FakeNode.busy()).look()
        #expect(seen.mostPressedFirst.map(\.id) == ["relay", "mirror", "siem", "archive"])
    }
}
