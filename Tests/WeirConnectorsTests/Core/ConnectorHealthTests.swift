import Testing
import WeirGates
import WeirWorld

@testable import WeirConnectors

@Suite("The health of a connector")
struct ConnectorHealthTests {
    private static let now = WallTime(secondsSince1970: 10_000_000)

    private static func ago(_ seconds: Int) -> WallTime { now + .seconds(-seconds) }

    /// One of a process of its own that pings, with nothing wrong.
    private static var outside: ConnectorHealth {
        var record = ConnectorRecord(
            registration: ConnectorRegistration(id: "c", name: "C"), userID: "u", registeredAt: ago(1_000_000))
        record.lastPing = ago(20)
        var report = ConnectorReport()
        report.lastRun = ago(600)
        report.nextRun = now + .seconds(600)
        record.report = report
        return ConnectorHealth(
            ConnectorLook(
                record: record, level: WorkQueueLevel(messages: 0, bytes: 0),
                marks: ConnectorGate.Marks(threshold: Limit(1_000, .bytes)), openWorks: []))
    }

    /// One that Weir runs itself, between two runs.
    private static var own: ConnectorHealth {
        var health = outside
        health.look.record.registration.origin = "exec"
        health.look.record.lastPing = nil
        health.schedule = ScheduleStatus(
            state: .waiting, isPaused: false, isRunAndTerminate: false, lastRun: ago(600),
            nextRun: now + .seconds(600), failures: 0)
        return health
    }

    private static func work(
        _ startedAgo: Int, pushed: Int = 0, settled: Int = 0, expected: Int = 0, movedAgo: Int? = nil,
        processedAgo: Int? = nil
    ) -> Work {
        var work = Work(id: "w\(startedAgo)", connector: "c", name: "run", startedAt: ago(startedAgo))
        work.pushed = pushed
        work.delivered = settled
        work.expected = expected
        work.movedAt = movedAgo.map(ago)
        work.processedAt = processedAgo.map(ago)
        return work
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var health: ConnectorHealth
        var codes: [String]
        var since: WallTime?

        init(
            _ description: String, _ health: ConnectorHealth, _ codes: [String], since: WallTime? = nil,
            _ change: (inout ConnectorHealth) -> Void = { _ in }
        ) {
            testDescription = description
            self.health = health
            self.codes = codes
            self.since = since
            change(&self.health)
        }
    }

    private static let pings: [Case] = [
        Case("nothing is wrong", outside, []),
        Case("a ping is late, not stale", outside, []) { $0.look.record.lastPing = ago(300) },
        Case("no ping for more than five minutes", outside, ["stale_ping"], since: ago(301)) {
            $0.look.record.lastPing = ago(301)
        },
        Case("never a ping since it registered", outside, ["stale_ping"], since: ago(1_000_000)) {
            $0.look.record.lastPing = nil
        },
        Case("run and terminate need not ping", outside, []) {
            $0.look.record.lastPing = ago(5_000)
            $0.look.record.report?.isRunAndTerminate = true
        },
        Case("one that Weir runs does not ping", own, []),
        Case("the queue cannot be read", outside, ["queue_unreadable"]) { $0.look.level = nil },
        Case("dead letters", outside, ["dead_letters"]) { $0.look.deadLetters = 3 },
    ]

    private static let runs: [Case] = [
        Case("a run is a little late", outside, []) { $0.look.record.report?.nextRun = ago(120) },
        Case("a run is overdue", outside, ["run_overdue"], since: ago(121)) {
            $0.look.record.report?.nextRun = ago(121)
        },
        Case("overdue and silent is silent", outside, ["stale_ping"]) {
            $0.look.record.report?.nextRun = ago(5_000)
            $0.look.record.lastPing = ago(400)
        },
        Case("overdue because it is in a run", outside, []) {
            $0.look.record.report?.nextRun = ago(500)
            $0.look.openWorks = [work(550, pushed: 3, settled: 3, movedAgo: 30)]
        },
        Case("overdue because it buffers", outside, []) {
            $0.look.record.report?.nextRun = ago(500)
            $0.look.record.report?.isBuffering = true
        },
        Case("overdue because it is paused", outside, []) {
            $0.look.record.report?.nextRun = ago(500)
            $0.look.pausedBy = "anna"
        },
        Case("Weir's own is overdue", own, ["run_overdue"], since: ago(200)) { $0.schedule?.nextRun = ago(200) },
        Case("Weir's own is in its run", own, []) {
            $0.schedule?.nextRun = ago(200)
            $0.schedule?.state = .running
            $0.runningSince = ago(200)
        },
        Case("Weir's own failed", own, ["http_503"]) {
            $0.schedule?.failures = 2
            $0.failure = Reason("http_503", "The server is not there.")
        },
        Case("Weir's own is put off", own, ["queue_threshold"], since: ago(70)) {
            $0.schedule?.state = .buffering
            $0.schedule?.postponement = Postponement(
                since: ago(70), level: ByteCount(2_000), threshold: ByteCount(1_000), looks: 1)
        },
        Case("configured no more", own, ["not_configured"]) { $0.schedule = nil },
    ]

    private static let still: [Case] = [
        Case("a work that moves", outside, []) {
            $0.look.openWorks = [work(7_200, pushed: 9, settled: 9, movedAgo: 60)]
        },
        Case("a work that was begun and brings nothing", outside, ["hung_publisher"], since: ago(3_601)) {
            $0.look.record.report?.lastRun = ago(90_000)
            $0.look.openWorks = [work(3_601)]
        },
        Case("a work of which no more comes", outside, ["hung_publisher"], since: ago(4_000)) {
            $0.look.record.report?.lastRun = ago(90_000)
            $0.look.openWorks = [work(9_000, pushed: 2, settled: 2, movedAgo: 4_000)]
        },
        Case("its bundles wait for their receivers", outside, []) {
            $0.look.record.report?.lastRun = ago(90_000)
            $0.look.level = WorkQueueLevel(messages: 2, bytes: 500)
            $0.look.openWorks = [work(9_000, pushed: 2, movedAgo: 4_000)]
        },
        Case("its push waits at the gate", outside, []) {
            $0.look.record.report?.lastRun = ago(90_000)
            $0.look.pushesWaiting = 1
            $0.look.openWorks = [work(9_000)]
        },
        Case("a push is open and nothing comes", outside, ["hung_publisher"], since: ago(601)) {
            $0.look.bytesUnderWay = 5_000
            $0.look.movedAt = ago(601)
        },
        Case("a push is open and the disk is full", outside, []) {
            $0.look.bytesUnderWay = 5_000
            $0.look.movedAt = ago(601)
            $0.look.isBlocked = true
        },
        Case("a run of Weir's own that brings nothing", own, ["hung_run"], since: ago(3_700)) {
            $0.schedule?.state = .running
            $0.runningSince = ago(3_700)
        },
        Case("a run of Weir's own that brings something", own, []) {
            $0.schedule?.state = .running
            $0.runningSince = ago(9_000)
            $0.look.movedAt = ago(100)
        },
    ]

    private static let works: [Case] = [
        Case("a work of yesterday", outside, ["works_never_closed"], since: ago(86_401)) {
            $0.look.openWorks = [work(86_401)]
        },
        Case("a work whose run ended two hours ago", outside, ["works_never_closed"], since: ago(8_000)) {
            $0.look.record.report?.lastRun = ago(7_200)
            $0.look.openWorks = [work(8_000, pushed: 1, settled: 1)]
        },
        Case("a work that is closed and delivered late", outside, []) {
            $0.look.level = WorkQueueLevel(messages: 9, bytes: 500)
            $0.look.openWorks = [work(90_000, pushed: 9, processedAgo: 89_000)]
        },
        Case("announced and never come", outside, ["works_leaking"], since: ago(2_000)) {
            $0.look.openWorks = [work(2_000, pushed: 3, settled: 3, expected: 5, movedAgo: 1_500, processedAgo: 900)]
        },
        Case("announced and perhaps on its way", outside, []) {
            $0.look.openWorks = [work(2_000, pushed: 3, settled: 3, expected: 5, movedAgo: 1_500, processedAgo: 599)]
        },
        Case("announced and still in the queue", outside, []) {
            $0.look.level = WorkQueueLevel(messages: 1, bytes: 500)
            $0.look.openWorks = [work(2_000, pushed: 3, settled: 2, expected: 5, movedAgo: 1_500, processedAgo: 900)]
        },
    ]

    @Test("is told from what is seen, with since when and what helps", arguments: pings + runs + still + works)
    func troubles(_ row: Case) {
        let troubles = row.health.troubles(at: Self.now)
        #expect(troubles.map(\.code) == row.codes)
        if let since = row.since { #expect(troubles.first?.since == since) }
        for trouble in troubles {
            #expect(trouble.sentence.hasSuffix(".") && trouble.advice.hasSuffix("."), "\(trouble)")
            if let since = trouble.since, row.codes.contains("stale_ping") {
                #expect(trouble.sentence.contains("\(since)"))
            }
        }
    }
}

@Suite("Whether runs bring something")
struct RunTallyTests {
    private static func time(_ hours: Int) -> WallTime { WallTime(secondsSince1970: 1_000_000) + .hours(hours) }

    /// A run each hour; `x` brings something, `.` nothing.
    private static func tally(_ runs: String) -> RunTally {
        var tally = RunTally()
        for (hour, run) in runs.enumerated() {
            if run == "x" { _ = tally.pushed() }
            tally.ended(at: time(hour))
            // The same run, told with the next ping.
            tally.ended(at: time(hour))
        }
        return tally
    }

    @Test(
        "a source is silent when it brings nothing much longer than ever before",
        arguments: [
            ("", false), ("xxxx", false), ("xxxx....", false), ("xxxx.....", true), ("xxxx........", true),
            // What comes once in six hours may stay away for twelve.
            ("x.....x.....x.....x......", false), ("x.....x.....x.....x............", false),
            ("x.....x.....x.....x..............", true),
            // It has never brought anything.
            ("....", false), (".....", true), ("......x", false),
            // Too little is known of it.
            ("x..........", false), ("x.x.........", false),
        ])
    func silence(_ runs: String, isSilent: Bool) {
        let tally = Self.tally(runs)
        #expect(tally.isSilent(at: Self.time(max(0, runs.count - 1))) == isSilent)
    }

    @Test("what comes again ends the silence at once, before its run ends")
    func comesAgain() {
        var tally = Self.tally("xxxx.........")
        #expect(tally.isSilent(at: Self.time(13)))
        #expect(tally.pushed() && !tally.pushed())
        #expect(!tally.isSilent(at: Self.time(13)))
    }

    @Test("a run each minute is not judged within the hour")
    func short() {
        var tally = RunTally()
        for minute in 0..<30 {
            if minute < 5 { _ = tally.pushed() }
            tally.ended(at: WallTime(secondsSince1970: 1_000_000) + .minutes(minute))
        }
        #expect(!tally.isSilent(at: WallTime(secondsSince1970: 1_000_000) + .minutes(30)))
        #expect(tally.isSilent(at: WallTime(secondsSince1970: 1_000_000) + .minutes(65)))
    }
}
