import Testing

/// The rooms of DESIGN, from the ground to the roof, each with the rooms it may import. A room imports only what stands
/// below it, and the rooms of the product never import each other; when two must talk, the node hands one of them a
/// closure.
enum FloorPlan {
    static let rooms: [String: Set<String>] = [
        // ground
        "WeirWorld": [],
        "WeirGates": ["WeirWorld"],
        "WeirSettings": ["WeirGates", "WeirWorld"],
        // first floor
        "WeirFlow": ["WeirWorld", "WeirGates"],
        "WeirExpressions": ["WeirWorld"],
        "WeirStore": ["WeirWorld", "WeirGates"],
        "WeirWires": ["WeirWorld"],
        "WeirCalls": ["WeirGates", "WeirSettings"],
        "WeirDirectory": ["WeirWorld", "WeirGates"],
        // second floor
        "WeirDelivery": ["WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore"],
        // third floor: none imports another
        "WeirSources": ["WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirWires", "WeirDelivery"],
        "WeirDestinations": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirWires", "WeirCalls",
            "WeirDelivery",
        ],
        "WeirConnectors": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", "WeirWires",
            "WeirCalls",
        ],
        "WeirTunnel": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirExpressions", "WeirStore", "WeirWires", "WeirCalls",
        ],
        "WeirIdentity": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirExpressions", "WeirStore", "WeirWires", "WeirCalls",
            "WeirDirectory",
        ],
        // fourth floor
        "WeirNode": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", "WeirWires",
            "WeirCalls",
            "WeirDelivery", "WeirSources", "WeirDestinations", "WeirConnectors", "WeirTunnel",
            "WeirIdentity", "WeirDirectory",
        ],
        "WeirConsole": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirStore", "WeirWires", "WeirDelivery",
            "WeirTunnel", "WeirIdentity", "WeirDirectory", "WeirNode",
        ],
        "WeirDemo": ["WeirWorld", "WeirGates", "WeirNode"],
        // roof
        "weir": [
            "WeirWorld", "WeirGates", "WeirSettings", "WeirFlow", "WeirExpressions", "WeirStore", "WeirWires",
            "WeirDelivery", "WeirSources", "WeirDestinations", "WeirNode", "WeirConsole", "WeirDemo",
        ],
        // garden
        "WeirConnectorKit": ["WeirWorld", "WeirGates", "WeirWires"],
        "WeirTestKit": ["WeirWorld", "WeirGates", "WeirFlow", "WeirStore", "WeirDelivery"],
    ]
}

@Suite("The floor plan")
struct FloorPlanTests {
    struct Arrow {
        var from: String, to: String, at: String
    }

    /// One for each import of a room.
    private static let arrows: [Arrow] = Tree.sources.flatMap { path -> [Arrow] in
        let room = String(path.split(separator: "/")[1])
        return Tree.code(path).enumerated().compactMap { number, line -> Arrow? in
            guard let module = importedModule(line), module.hasPrefix("Weir") else { return nil }
            return Arrow(from: room, to: module, at: "\(path):\(number + 1)")
        }
    }

    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(of: "import"), at + 1 < words.count,
            words[..<at].allSatisfy({
                $0.hasPrefix("@") || ["package", "internal", "private", "fileprivate", "public"].contains($0)
            })
        else { return nil }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = kinds.contains(words[at + 1]) && at + 2 < words.count ? words[at + 2] : words[at + 1]
        return name.split(separator: ".").first.map(String.init)
    }

    @Test("has every room that stands under Sources, and no other")
    func isComplete() {
        let built = Set(Tree.sources.map { String($0.split(separator: "/")[1]) }).filter { !$0.hasPrefix("C") }
        #expect(built.sorted() == FloorPlan.rooms.keys.sorted())
    }

    @Test("refuses every arrow that it does not show")
    func onlyPlannedArrows() {
        #expect(Self.arrows.count > 50, "the imports were not found: this test would prove nothing")
        for arrow in Self.arrows where arrow.from != arrow.to {
            let isPlanned = FloorPlan.rooms[arrow.from]?.contains(arrow.to) == true
            #expect(isPlanned, "\(arrow.from) may not import \(arrow.to) (\(arrow.at))")
        }
    }

    @Test("has no circle")
    func hasNoCircle() {
        var above: [String] = []
        func climb(_ room: String) {
            if above.contains(room) {
                Issue.record("circle: \((above + [room]).joined(separator: " → "))")
                return
            }
            above.append(room)
            for next in (FloorPlan.rooms[room] ?? []).sorted() { climb(next) }
            above.removeLast()
        }
        for room in ["weir", "WeirConnectorKit", "WeirTestKit"] { climb(room) }
    }

    @Test("is what Package.swift builds: a room's target names only planned rooms")
    func packageAgrees() {
        // `room("WeirGates", ["WeirWorld", .logging])`, over one or several lines.
        let manifest = Tree.text("Package.swift")
        let declaration = /room\(\s*"(Weir\w+)",\s*\[([^\]]*)\]/
        let declared = manifest.matches(of: declaration)
        #expect(declared.count >= 12)
        for match in declared {
            let room = String(match.1)
            let named = match.2.matches(of: /"(Weir\w+)"/).map { String($0.1) }
            let unplanned = Set(named).subtracting(FloorPlan.rooms[room] ?? [])
            #expect(unplanned.isEmpty, "Package.swift gives \(room) what the plan does not show: \(unplanned.sorted())")
        }
        #expect(manifest.contains("InternalImportsByDefault") && manifest.contains("treatAllWarnings(as: .error)"))
    }

    @Test("gives nothing to the outside: no room re-exports or imports publicly")
    func importsCarryALevel() {
        for path in Tree.sources {
            for (number, line) in Tree.code(path).enumerated() {
                let isPublic =
                    line.hasPrefix("public import") || line.contains("@_exported") || line.contains("@testable")
                #expect(!isPublic, "\(path):\(number + 1): \(line)")
            }
        }
    }
}
