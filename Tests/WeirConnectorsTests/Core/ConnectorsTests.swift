import Foundation
import NIOCore
import Testing
import WeirConnectors
import WeirFlow
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@Suite("Connectors", .timeLimit(.minutes(5)))
struct ConnectorsTests {
    @Test("deliver the objects of a bundle as events of their work, and the work is complete only then")
    func delivery() async throws {
        let stage = CoreStage()
        stage.intake.setSettlement(nil)
        let (intake, gates) = (stage.intake, stage.gates)
        try await stage.live(with: "c") { connectors in
            let work = try await connectors.addWork("c", name: "run", isMultipart: false)
            try await connectors.expect(work.id, 2)
            try await connectors.push(Sample.push(Sample.bundle([Sample.object(1)]), work: work.id), deadline: nil)
            try await connectors.push(
                Sample.push(Sample.message(Sample.bundle([Sample.object(2)]), work: work.id), as: .message),
                deadline: nil)
            try await connectors.processed(work.id, message: "done", isError: false)
            #expect(await eventually { intake.eventCount > 0 })
            #expect(await connectors.work(work.id)?.status != .complete)
            #expect(await connectors.queueLevel("c")?.messages == 2)
            intake.setSettlement(.kept)
            #expect(
                await eventually {
                    intake.settle(.kept)
                    return await connectors.work(work.id)?.status == .complete
                })
            let done = await connectors.work(work.id)
            #expect(done?.pushed == 2 && done?.delivered == 2 && done?.failed == 0)
            #expect(done?.messages.map(\.text) == ["done"])
            #expect(await connectors.queueLevel("c") == WorkQueueLevel(messages: 0, bytes: 0))
            #expect(gates.reading("connector/c")?.counters.deliveredEvents == 2)
            #expect(await connectors.works(of: "c", most: 5).map(\.id) == [work.id])
        }
        #expect(stage.intake.events == [Sample.object(1), Sample.object(2)])
        let context = stage.intake.batches.first?.context
        #expect(context?.source == "c" && context?.kind == .json)
        #expect(context?.attributes["connector"] == "c" && context?.attributes["work"]?.hasPrefix("work_c_") == true)
    }

    @Test("keep registration, state, works and what waits over a restart; what was delivered does not come again")
    func restart() async throws {
        let stage = CoreStage()
        let id = "cisa kev/é"
        stage.intake.close()
        let level = try await stage.live { connectors in
            _ = try await connectors.register(ConnectorRegistration(id: id, name: "C", scope: ["a"]))
            var report = ConnectorReport()
            report.queueThreshold = 8
            _ = try await connectors.ping(id, state: "{\"e\u{301}\": 1 }", report: report)
            let work = try await connectors.addWork(id, name: "run", isMultipart: false)
            for number in 0..<5 {
                try await connectors.push(
                    Sample.push(Sample.bundle([Sample.object(number)]), to: id, work: work.id), deadline: nil)
            }
            try await connectors.processed(work.id, message: nil, isError: true)
            return await connectors.queueLevel(id)
        }
        #expect(level?.messages == 5)
        let (intake, settledBefore) = (stage.intake, stage.intake.eventCount)
        #expect(settledBefore == 0)
        let record = try await stage.live { connectors in
            #expect(await connectors.queueLevel(id) == level)
            intake.open()
            #expect(await eventually { await connectors.works(of: id, most: 1).first?.status == .complete })
            let work = await connectors.works(of: id, most: 1).first
            #expect(work?.delivered == 5 && work?.pushed == 5 && work?.isInError == true)
            return await connectors.connector(id)
        }
        #expect(record.map { Array($0.state?.utf8 ?? "".utf8) } == Array("{\"e\u{301}\": 1 }".utf8))
        #expect(record?.registration.scope == ["a"] && record?.report?.queueThreshold == 8)
        #expect(record?.lastPing != nil)
        #expect(stage.intake.events == (0..<5).map { Sample.object($0) })
        let userID = try await stage.live { connectors in
            #expect(await connectors.queueLevel(id)?.messages == 0)
            return try await connectors.register(ConnectorRegistration(id: id, name: "C")).userID
        }
        #expect(userID == record?.userID && stage.intake.eventCount == 5)
    }

    @Test("tell a process of its reset once, also over a restart, and write down who wanted it")
    func reset() async throws {
        let stage = CoreStage()
        try await stage.live(with: "c") { connectors in
            _ = try await connectors.ping("c", state: "old", report: ConnectorReport())
            try await connectors.resetState("c", by: "ada", why: "bad data")
            await #expect(throws: ConnectorFailure.self) { try await connectors.resetState("x", by: "ada", why: "") }
        }
        try await stage.live { connectors in
            let answer = try await connectors.ping("c", state: "old", report: ConnectorReport())
            #expect(answer != nil && answer?.state == nil)
        }
        try await stage.live { connectors in
            let answer = try await connectors.ping("c", state: "new", report: ConnectorReport())
            #expect(answer?.state == "new")
            let audit = try await connectors.audit(of: "c", most: 5)
            #expect(audit.map(\.who) == ["ada"] && audit.first?.why == "bad data")
            let stranger = try await connectors.ping("x", state: "new", report: ConnectorReport())
            #expect(stranger == nil)
        }
    }

    @Test("hold pushes from exactly the hard limit on, and let them go below it")
    func holding() async throws {
        let bundle = Sample.bundle([Sample.object(1)])
        let size = Int64(bundle.utf8.count)
        let stage = CoreStage {
            $0.marks = .init(threshold: Limit(size, .bytes), hardLimit: Limit(2 * size, .bytes))
        }
        stage.intake.close()
        let (intake, gates) = (stage.intake, stage.gates)
        try await stage.live(with: "c") { connectors in
            try await connectors.push(Sample.push(bundle), deadline: nil)
            #expect(await connectors.verdict("c") == .postpone)
            #expect(gates.reading("connector/c")?.state == .buffering)
            try await connectors.push(Sample.push(bundle), deadline: nil)
            #expect(gates.reading("connector/c")?.state == .blocking)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 3...5 {
                    group.addTask {
                        try await connectors.push(
                            Sample.push(Sample.bundle([Sample.object(number)])), deadline: nil)
                    }
                    #expect(
                        await eventually {
                            gates.reading("connector/c")?.details.contains(
                                .init("pushes that wait now", "\(number - 2)")) == true
                        })
                }
                #expect(await connectors.queueLevel("c") == WorkQueueLevel(messages: 2, bytes: 2 * size))
                intake.open()
                try await group.waitForAll()
            }
            #expect(await eventually { intake.eventCount == 5 })
            #expect(await eventually { gates.reading("connector/c")?.state == .open })
        }
        #expect(stage.intake.events.sorted() == [1, 1, 3, 4, 5].map { Sample.object($0) })
    }

    @Test("let a held push in at its deadline, and send it away when Weir stops")
    func deadline() async throws {
        let stage = CoreStage { $0.marks = .init(threshold: Limit(1, .bytes)) }
        stage.intake.close()
        let (gates, world) = (stage.gates, stage.world)
        try await stage.live(with: "c") { connectors in
            let bundle = Sample.push(Sample.bundle([Sample.object(1)]))
            try await connectors.push(bundle, deadline: nil)
            try await connectors.push(bundle, deadline: world.time.now + .milliseconds(50))
            #expect(await connectors.queueLevel("c")?.messages == 2)
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: ConnectorFailure(.stopped, "Weir stops; nothing was taken.")) {
                        try await connectors.push(bundle, deadline: nil)
                    }
                }
                #expect(
                    await eventually {
                        gates.reading("connector/c")?.details.contains(.init("pushes that wait now", "1")) == true
                    })
                connectors.stop()
            }
        }
    }

    @Test("hold what a person holds, and answer that it counts as full")
    func pause() async throws {
        let stage = CoreStage()
        let gates = stage.gates
        try await stage.live(with: "c") { connectors in
            #expect(gates.order(.hold(by: "ada"), "connector/c"))
            #expect(await connectors.queueLevel("c") == nil)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await connectors.push(Sample.push(Sample.bundle([Sample.object(1)])), deadline: nil)
                }
                #expect(
                    await eventually {
                        gates.reading("connector/c")?.details.contains(.init("pushes that wait now", "1")) == true
                    })
                #expect(gates.order(.release(by: "ada"), "connector/c"))
                try await group.waitForAll()
            }
        }
    }

    @Test("make dead letters of what cannot be unpacked, say so in the work, and go on with the rest")
    func poison() async throws {
        let stage = CoreStage { $0.spoolFrom = 500 }
        let intake = stage.intake
        let large = Sample.object(7, padding: 2_000)
        try await stage.live(with: "c") { connectors in
            let work = try await connectors.addWork("c", name: "run", isMultipart: false).id
            let bad = [
                Sample.push("{not json", work: work), Sample.push(#"{"type":"bundle","objects":[]}"#, work: work),
                Sample.push(#"{"content":"*"}"#, work: work, as: .message),
                Sample.push(Sample.bundle([large]) + "}", work: work),
            ]
            for (number, push) in bad.enumerated() {
                try await connectors.push(push, deadline: nil)
                try await connectors.push(
                    Sample.push(Sample.bundle([Sample.object(number)]), work: work), deadline: nil)
            }
            try await connectors.push(Sample.push(Sample.bundle([large]), work: work), deadline: nil)
            try await connectors.processed(work, message: nil, isError: false)
            #expect(await eventually { await connectors.work(work)?.status == .complete })
            let done = await connectors.work(work)
            #expect(done?.pushed == 9 && done?.delivered == 5 && done?.failed == 4 && done?.isInError == true)
            #expect(done?.errors.count == 4 && done?.errors.first?.text.contains("not JSON") == true)
        }
        #expect(intake.events == (0..<4).map { Sample.object($0) } + [large])
        let letters = try await stage.deadLetters()
        #expect(letters.map(\.code) == ["invalid_json", "no_objects", "invalid_base64", "invalid_json"])
        #expect(letters.first.map { String(buffer: $0.event) } == "{not json" && letters.first?.source == "c")
        let path = letters.last?.message.split(separator: " ").last.map { String($0.dropLast()) } ?? ""
        #expect(try String(contentsOfFile: path, encoding: .utf8) == Sample.bundle([large]) + "}")
        #expect(try FileManager.default.contentsOfDirectory(atPath: stage.directory + "/connectors/c/spool").isEmpty)
    }

    @Test("hand over again what was lost on the way, until it is kept")
    func lost() async throws {
        let stage = CoreStage()
        stage.intake.setSettlement(.lost(Reason("test", "nobody has it")))
        let intake = stage.intake
        try await stage.live(with: "c") { connectors in
            try await connectors.push(Sample.push(Sample.bundle([Sample.object(1)])), deadline: nil)
            #expect(await eventually { intake.eventCount >= 2 })
            #expect(await connectors.queueLevel("c")?.messages == 1)
            intake.setSettlement(.kept)
            #expect(await eventually { await connectors.queueLevel("c")?.messages == 0 })
        }
    }

    @Test("serve a small connector while a huge one is being delivered")
    func fairness() async throws {
        let stage = CoreStage { $0.turnBytes = 64 << 10 }
        stage.intake.close()
        let intake = stage.intake
        try await stage.live { connectors in
            for id in ["huge", "small"] { _ = try await connectors.register(ConnectorRegistration(id: id, name: id)) }
            for number in 0..<300 {
                try await connectors.push(
                    Sample.push(Sample.bundle([Sample.object(number, padding: 10_000)]), to: "huge"), deadline: nil)
            }
            try await connectors.push(Sample.push(Sample.bundle([Sample.object(-1)]), to: "small"), deadline: nil)
            intake.open()
            #expect(await eventually { intake.eventCount == 301 })
        }
        let place = stage.intake.events.firstIndex(of: Sample.object(-1)) ?? .max
        #expect(place < 40)
    }

    @Test("take the end of a run with its last bundle, and know it after a restart")
    func runEnd() async throws {
        let stage = CoreStage()
        var first = ScheduleMemory()
        first.lastRun = WallTime(secondsSince1970: 100)
        first.lastDue = WallTime(secondsSince1970: 90)
        first.nextRun = WallTime(secondsSince1970: 200)
        first.hasBegun = true
        first.timing = "every PT100S"
        var second = first
        second.nextRun = WallTime(secondsSince1970: 300)
        let schedules = [first, second]
        let work = try await stage.live { connectors in
            _ = try await connectors.register(ConnectorRegistration(id: "c", name: "C"))
            let work = try await connectors.addWork("c", name: "run", isMultipart: true).id
            try await connectors.finishRun(
                "c", RunEnd(state: "{\"n\":1}", schedule: schedules[0], work: work, message: "1 event"),
                last: Sample.push(Sample.bundle([Sample.object(1)]), work: work), deadline: nil)
            #expect(connectors.schedule(of: "c") == schedules[0], "it counts as soon as it is durable")
            try await connectors.finishRun(
                "c", RunEnd(state: "{\"n\":2}", schedule: schedules[1]), last: nil, deadline: nil)
            #expect(await eventually { await connectors.queueLevel("c")?.messages == 0 })
            return work
        }
        let (record, schedule, done) = try await stage.live {
            (await $0.connector("c"), $0.schedule(of: "c"), await $0.work(work))
        }
        #expect(record?.state == "{\"n\":2}" && record?.report?.nextRun == second.nextRun && schedule == second)
        #expect(done?.status == .complete && done?.messages.map(\.text) == ["1 event"] && done?.errors == [])
        #expect(stage.intake.events == [Sample.object(1)])
    }

    @Test("say of a work that a stop cut off that it was, and leave one that its run has closed")
    func interrupted() async throws {
        let stage = CoreStage()
        let works = try await stage.live { connectors in
            _ = try await connectors.register(ConnectorRegistration(id: "c", name: "C"))
            let closed = try await connectors.addWork("c", name: "one", isMultipart: true).id
            try await connectors.finishRun(
                "c", RunEnd(schedule: ScheduleMemory(), work: closed, message: "0 events"), last: nil, deadline: nil)
            return [closed, try await connectors.addWork("c", name: "two", isMultipart: true).id]
        }
        let seen = try await stage.live { connectors in
            try await connectors.closeInterruptedWorks(of: "c")
            var seen: [Work] = []
            for work in works { seen += [await connectors.work(work)].compactMap(\.self) }
            return seen
        }
        #expect(seen.map(\.status) == [.complete, .complete] && seen.map(\.isInError) == [false, true])
        #expect(seen.last?.errors.first?.text.contains("stopped in this run") == true)
    }

    @Test("refuse what nobody registered, and forget what is removed once its queue is empty")
    func unknown() async throws {
        let stage = CoreStage()
        let gates = stage.gates
        try await stage.live { connectors in
            await #expect(throws: ConnectorFailure.self) {
                try await connectors.push(Sample.push(Sample.bundle([Sample.object(1)])), deadline: nil)
            }
            await #expect(throws: ConnectorFailure.self) {
                try await connectors.addWork("c", name: "", isMultipart: false)
            }
            await #expect(throws: ConnectorFailure.self) { try await connectors.expect("work_c_1", 1) }
            _ = try await connectors.register(ConnectorRegistration(id: "c", name: "C"))
            let work = try await connectors.addWork("c", name: "", isMultipart: false).id
            try await connectors.deleteWork(work)
            #expect(await connectors.work(work) == nil)
            try await connectors.remove("c")
            #expect(await connectors.connectors().isEmpty && gates.reading("connector/c") == nil)
        }
        #expect(try await stage.live { await $0.connector("c") } == nil)
    }

    @Test("remove the files of pushes that were cut off")
    func orphans() async throws {
        let stage = CoreStage { $0.spoolFrom = 100 }
        let spool = stage.directory + "/connectors/c/spool"
        try await stage.live(with: "c") { connectors in
            let head = BundleHead(connector: "c", encoding: .stix)
            let reception = try await connectors.beginPush(head, deadline: nil)
            try await reception.write(ByteBuffer(repeating: 0x20, count: 1_000))
            #expect(try FileManager.default.contentsOfDirectory(atPath: spool).count == 1)
            #expect(await connectors.queueLevel("c") == WorkQueueLevel(messages: 0, bytes: 0))
            await reception.abandon()
            #expect(try FileManager.default.contentsOfDirectory(atPath: spool).isEmpty)
        }
        try Data("left".utf8).write(to: URL(fileURLWithPath: spool + "/1.bundle"))
        try await stage.live { connectors in
            try await connectors.push(Sample.push(Sample.bundle([Sample.object(1)])), deadline: nil)
            #expect(
                await eventually { (try? FileManager.default.contentsOfDirectory(atPath: spool).isEmpty) == true })
        }
    }
}
