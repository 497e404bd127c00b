import Testing

/// One place that may do what the house forbids, and why.
struct Allowance {
    var path: String
    var rule: String
    var reason: String

    static let all: [Allowance] = [
        Allowance(
            path: "Sources/WeirNode/TapStream.swift", rule: "bare Task",
            reason: "a tap's reading ends by itself after its duration; cancelled when the reader goes"),
        Allowance(
            path: "Sources/WeirStore/Queue/DurableQueue.swift", rule: "bare Task",
            reason: "the timer of interval durability; kept in the shell, cancelled by close"),
        Allowance(
            path: "Sources/WeirStore/Checkpoints.swift", rule: "bare Task",
            reason: "the timer of a delayed write; kept in the state, cancelled by close"),
        Allowance(
            path: "Sources/WeirSources/Stream/DatagramHandler.swift", rule: "bare Task",
            reason: "hands batches on from the event loop; kept and cancelled by the socket"),
        Allowance(
            path: "Sources/WeirSources/Stream/StreamHandler.swift", rule: "bare Task",
            reason: "hands batches on from the event loop; kept and cancelled by the connection"),
        Allowance(
            path: "Sources/WeirSources/HTTP/HTTPUpload.swift", rule: "bare Task",
            reason: "hands on one run of batches at a time; kept and cancelled by the upload"),
        Allowance(
            path: "Sources/WeirConsole/Server/ShortRequests.swift", rule: "bare Task",
            reason: "begins an answer on the event loop, and ends with it; kept by the connection until then"),
        Allowance(
            path: "Sources/WeirConnectors/OpenCTI/AMQP/AMQPHandler+Platform.swift", rule: "bare Task",
            reason: "carries messages on from the event loop; kept and cancelled by the connection"),
        Allowance(
            path: "Sources/WeirConnectors/OpenCTI/Broker/BrokerHandler.swift", rule: "bare Task",
            reason: "carries bundles on from the event loop, one run at a time; waits for nothing but the disk"),
        Allowance(
            path: "Sources/WeirConnectors/Managed/Exec/ExecRun.swift", rule: "bare Task",
            reason: "a program's grace runs its course though its run is cancelled; awaited where it is made"),
        Allowance(
            path: "Sources/WeirTestKit/Simulation/Simulation.swift", rule: "bare Task",
            reason: "the simulation's own root task, on its own executor"),
    ]
}

@Suite("What only the world may do")
struct ForbiddenCallTests {
    /// Time, chance, tasks and files come in by `World`, so that a simulation can replay them. The live world and the
    /// roof are free.
    private static let freeFolders = ["Sources/WeirWorld/Live/", "Sources/weir/", "Sources/WeirDemo/"]

    struct Rule {
        var name: String
        /// A word that every hit has in it; it spares most lines the slower pattern.
        var word: String
        var pattern: Regex<AnyRegexOutput>

        init(_ name: String, _ word: String, _ pattern: some RegexComponent) {
            self.name = name
            self.word = word
            // Unicode's boundaries see none between `Date` and `.now`.
            self.pattern = Regex(pattern.regex.wordBoundaryKind(.simple))
        }

        func hits(_ line: String) -> Bool { line.contains(word) && line.firstMatch(of: pattern) != nil }
    }

    private static var rules: [Rule] {
        [
            Rule("Date()", "Date", /\bDate\(\)|\bDate\.now\b/),
            Rule("UUID()", "UUID", /\bUUID\(\)/),
            Rule("chance", "random", /\.randomElement\(\)|\.random\(in:(?!.*using:)/),
            Rule("chance", "shuffle", /\.shuffled?\(\)/),
            Rule("chance", "System", /\bSystemRandomNumberGenerator\b/),
            Rule("clocks", "Clock", /\bContinuousClock\b|\bSuspendingClock\b/),
            Rule("clocks", ".now", /\bDispatchTime\.now\b|\bNIODeadline\.now\b/),
            Rule("clocks", "gettime", /\bclock_gettime\b|\bgettimeofday\b/),
            Rule("Task.sleep", "sleep", /\bTask\.sleep\b|\bThread\.sleep\b|\busleep\(|\bnanosleep\(/),
            Rule("Task.detached", "detached", /\bTask\.detached\b/),
            Rule("bare Task", "Task", /(^|[^.\w])Task(<[^>]*>)?(\.immediate)?\s*(\([^)]*\))?\s*\{/),
            Rule("DispatchQueue", "DispatchQueue", /\bDispatchQueue\b/),
            Rule("try!", "try!", /\btry!/),
            Rule("as!", "as!", /\bas!/),
        ]
    }

    private struct Hit {
        var path: String, line: Int, rule: String, code: String
    }

    private static let hits: [Hit] = {
        let rules = Self.rules
        let bound = Tree.sources.filter { path in !freeFolders.contains(where: path.hasPrefix) }
        return bound.flatMap { path in
            Tree.code(path).enumerated().flatMap { number, line in
                rules.filter { $0.hits(line) }.map { Hit(path: path, line: number + 1, rule: $0.name, code: line) }
            }
        }
    }()

    @Test("is done nowhere else, but where a reason is given")
    func nowhereElse() {
        for hit in Self.hits {
            let isAllowed = Allowance.all.contains { $0.path == hit.path && $0.rule == hit.rule }
            #expect(isAllowed, "\(hit.path):\(hit.line): \(hit.rule) below the roof: \(hit.code.trimmed)")
        }
    }

    @Test("is done at every place that the list of reasons names")
    func noStaleAllowance() {
        for allowance in Allowance.all {
            let isUsed = Self.hits.contains { $0.path == allowance.path && $0.rule == allowance.rule }
            #expect(isUsed, "\(allowance.path) no longer needs: \(allowance.rule)")
            #expect(allowance.reason.count > 20)
        }
    }

    @Test(
        "is found: each rule hits the code it is about",
        arguments: [
            "let now = Date()", "id = UUID()", "pick.shuffled()", "let c = ContinuousClock()",
            "try await Task.sleep(for: .seconds(1))",
            "Task.detached { }", "Task { work() }", "let begun = Task.immediate {", "keep = Task(priority: .low) {",
            "let x = try! f()",
            "let y = z as! Int",
            "DispatchQueue.global().async {}", "let t = Task<Void, Never> {", "x = Int.random(in: 0..<4)",
        ])
    func rulesHit(line: String) {
        #expect(Self.rules.contains { $0.hits(line) })
    }

    @Test(
        "is not found where it is not",
        arguments: [
            "group.addTask { }", "loop.scheduleTask(in: limit) { }", "let task: Task<Void, Never>?",
            "func makeTask() {", "retry!.x", "x = Int.random(in: 0..<4, using: &generator)",
        ])
    func rulesMiss(line: String) {
        let hit = Self.rules.first { $0.hits(line) }
        #expect(hit == nil, "\(hit?.name ?? "")")
    }

    @Test("Nothing turns the verification of certificates off")
    func verificationStaysOn() {
        let forbidden =
            /certificateVerification\s*[=:]\s*\.none|insecure_skip_verify|skip_verify|tls_verify|allow_insecure/
        // A listener has no name to compare a client's certificate with; a hub's address behind a proxy is compared by
        // `AddressVerifying`, because TLS would compare the proxy's; hubs of a mesh by `MeshShaking`, by their names.
        let others = [
            "Sources/WeirSources/", "Sources/WeirTunnel/Enrolment/AgentTrust.swift",
            "Sources/WeirTunnel/Mesh/Links/MeshTLS.swift",
        ]
        for path in Tree.sources {
            for (number, line) in Tree.lines(path).enumerated() {
                #expect(line.firstMatch(of: forbidden) == nil, "\(path):\(number + 1): \(line)")
                if !others.contains(where: path.hasPrefix) {
                    #expect(!line.contains(".noHostnameVerification"), "\(path):\(number + 1): \(line)")
                }
            }
        }
    }
}

extension String {
    var trimmed: Substring {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        return rest
    }
}
