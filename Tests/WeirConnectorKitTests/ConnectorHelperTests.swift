import Synchronization
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConnectorKit

@Suite("A connector's helper", .timeLimit(.minutes(2)))
struct ConnectorHelperTests {
    private struct Broken: Error {}

    @Test("registers, runs at once, pings its state after the run, and runs again after a period")
    func twoRuns() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper(["CONNECTOR_SCOPE": "a, b"])
        let runs = Count()
        async let ended = helper.scheduleISO(
            messageCallback: {
                let number = runs.add()
                helper.state = try ConnectorState("{ \"runs\": \(number) }")
            }, durationPeriod: "PT1H")
        #expect(await stage.atOnce { stage.platform.state.withLock { $0.connectorState } == "{ \"runs\": 1 }" })
        for _ in 0..<3 {
            let before = stage.platform.asked("PingConnector").count
            #expect(await stage.atOnce { stage.time.sleeperCount == 2 })
            stage.time.advance(by: .seconds(40))
            #expect(await stage.atOnce { stage.platform.asked("PingConnector").count > before })
        }
        #expect(await stage.until(step: .seconds(10)) { runs.number == 2 })
        #expect(stage.time.now >= .zero + .seconds(3_600))
        stage.end.continuation.yield()
        #expect(try await ended == .stopped)
        let input = stage.platform.asked("RegisterConnector").first?["input"]?.object
        #expect(input?["type"] == "EXTERNAL_IMPORT" && input?["scope"] == ["a", "b"])
        #expect(stage.platform.state.withLock { $0.connectorState } == "{ \"runs\": 2 }")
    }

    @Test("puts runs off while the queue is full, says so, and goes on by itself")
    func buffering() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper(["CONNECTOR_QUEUE_THRESHOLD": "0.005"])
        let runs = Count()
        async let ended = helper.scheduleUnit(
            messageCallback: {
                runs.add()
                stage.platform.change { $0.queueBytes = 5_000 }
            }, durationPeriod: 1, timeUnit: .hours)
        @Sendable func last() -> JSONObject? { stage.platform.asked("PingConnector").last?["connectorInfo"]?.object }
        #expect(await stage.until(step: .seconds(5)) { stage.time.now > .zero + .seconds(9_000) })
        #expect(runs.number == 1)
        #expect(await stage.atOnce { last()?["buffering"] == true })
        #expect(last()?["queue_messages_size"] == 0.005)
        #expect(last()?["queue_threshold"] == 0.005)
        stage.platform.change { $0.queueBytes = 4_999 }
        let before = stage.time.now
        #expect(await stage.until { runs.number == 2 })
        #expect(stage.time.now - before < .seconds(3_600), "not a period later")
        stage.end.continuation.yield()
        _ = try await ended
    }

    @Test("a failed run closes its works as failed, moves no last run, and is tried again; the process goes on")
    func failedRun() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper()
        let runs = Count()
        async let ended = helper.scheduleISO(
            messageCallback: {
                let number = runs.add()
                _ = try await helper.initiateWork("run \(number)")
                if number == 1 { throw Broken() }
            }, durationPeriod: "P1D")
        #expect(await stage.atOnce { stage.platform.asked("workToProcessed").count == 1 })
        let failed = stage.platform.asked("workToProcessed").first
        #expect(failed?["inError"] == true && failed?["message"]?.text?.contains("Broken") == true)
        #expect(await stage.atOnce { stage.platform.asked("PingConnector").count == 2 })
        let infos = stage.platform.asked("PingConnector").compactMap { $0["connectorInfo"]?.object }
        #expect(infos.allSatisfy { $0["last_run_datetime"] == JSONValue.null })
        #expect(await stage.until { stage.platform.asked("workToProcessed").count == 2 })
        #expect(stage.platform.asked("workToProcessed").last?["inError"] == false)
        #expect(stage.time.now < .zero + .seconds(3_600), "long before the period of a day")
        #expect(stage.log.contains(#""level":"ERROR""#) && stage.log.contains("Broken"))
        stage.end.continuation.yield()
        _ = try await ended
    }

    @Test("run and terminate: runs once and ends; over the threshold it only ends; a failure is thrown")
    func runAndTerminate() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper(["CONNECTOR_RUN_AND_TERMINATE": "true"])
        let runs = Count()
        #expect(try await helper.scheduleISO(messageCallback: { runs.add() }, durationPeriod: "PT1H") == .ranOnce)
        let info = stage.platform.asked("PingConnector").last?["connectorInfo"]?.object
        #expect(info?["run_and_terminate"] == true && info?["next_run_datetime"] == JSONValue.null)
        #expect(info?["last_run_datetime"]?.text?.hasSuffix("Z") == true)
        stage.platform.change { $0.queueBytes = 500_000_000 }
        #expect(try await helper.scheduleISO(messageCallback: { runs.add() }, durationPeriod: "0") == .postponed)
        #expect(runs.number == 1)
        stage.platform.change { $0.queueBytes = 0 }
        await #expect(throws: Broken.self) {
            try await helper.scheduleISO(messageCallback: { throw Broken() }, durationPeriod: "0")
        }
    }

    @Test("hears of a reset once, also when it happened before the start")
    func reset() async throws {
        let stage = HelperStage()
        stage.platform.change { $0.isResetPending = true }
        let helper = try await stage.helper()
        let runs = Count()
        let fresh = Count()
        async let ended = helper.scheduleISO(
            messageCallback: {
                if helper.state == nil { fresh.add() }
                helper.state = try ConnectorState("{\"runs\": \(runs.add())}")
            }, durationPeriod: "PT1M")
        #expect(await stage.until { runs.number == 3 })
        #expect(fresh.number == 1)
        stage.platform.change {
            $0.connectorState = nil
            $0.isResetPending = true
        }
        #expect(await stage.until { fresh.number == 2 })
        let before = runs.number
        #expect(await stage.until { runs.number >= before + 3 })
        #expect(fresh.number == 2)
        stage.end.continuation.yield()
        _ = try await ended
    }

    @Test("waits for a platform that is away, and says which setting to look at when there is none")
    func away() async throws {
        let stage = HelperStage()
        let down = PlatformFailure(.unreachable, "down")
        stage.platform.change { $0.failures = [down, down] }
        async let helper = stage.helper()
        #expect(await stage.until(sleepers: 1) { stage.platform.asked("RegisterConnector").count == 1 })
        _ = try await helper
        let other = HelperStage()
        other.platform.change { $0.failures = Array(repeating: down, count: 1_000) }
        let done = Count()
        async let failed: Void = {
            await #expect(throws: PlatformFailure.self) { try await other.helper() }
            done.add()
        }()
        #expect(await other.until(sleepers: 1) { done.number == 1 })
        await failed
        let refused = HelperStage()
        refused.platform.change { $0.failures = [PlatformFailure(.status(401), "OPENCTI_TOKEN")] }
        await #expect(throws: PlatformFailure.self) { try await refused.helper() }
    }

    @Test("sends a bundle whole by the API, and again when its answer was lost")
    func push() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper()
        let work = try await helper.initiateWork("w")
        stage.platform.change { $0.failures = [PlatformFailure(.unreachable, "broke")] }
        let bundle = STIXBundle([["type": "malware", "id": "malware--1", "name": "x"]], id: "bundle--1")
        async let sent = helper.send(bundle, work: work)
        #expect(await stage.until(sleepers: 1) { stage.platform.state.withLock { $0.pushed.count } == 1 })
        #expect(try await sent == SentBundle(messages: 1, leftOut: []))
        let expected =
            #"{"type":"bundle","id":"bundle--1","spec_version":"2.1","objects":"#
            + #"[{"type":"malware","id":"malware--1","name":"x"}]}"#
        #expect(stage.platform.state.withLock { $0.pushed } == [expected])
        #expect(stage.platform.asked("StixBundlePush").first?["work_id"]?.text == work.id)
        await #expect(throws: BundleProblem.self) { try await helper.send(STIXBundle([])) }
    }

    @Test("ends soon when it is told to, in the middle of a run, and leaves no work open")
    func told() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper()
        async let ended = helper.scheduleISO(
            messageCallback: {
                _ = try await helper.initiateWork("long")
                try await stage.time.sleep(for: .seconds(1_000_000))
            }, durationPeriod: "PT1H")
        #expect(await stage.atOnce { !stage.platform.asked("workAdd").isEmpty })
        stage.end.continuation.yield()
        #expect(try await ended == .stopped)
        let closed = stage.platform.asked("workToProcessed").first
        #expect(closed?["inError"] == true && closed?["message"]?.text == "The connector was stopped.")
    }

    @Test("refuses AMQP where none is offered, and a period that is none, with the setting's name")
    func refusals() async throws {
        let stage = HelperStage()
        await #expect(throws: ConfigurationError.self) {
            try await stage.helper(["CONNECTOR_QUEUE_PROTOCOL": "amqp"])
        }
        let helper = try await stage.helper()
        do {
            try await helper.scheduleISO(messageCallback: {}, durationPeriod: "5h")
        } catch {
            #expect("\(error)".contains("CONNECTOR_DURATION_PERIOD"))
        }
        await #expect(throws: ConfigurationError.self) {
            try await helper.scheduleUnit(messageCallback: {}, durationPeriod: -1, timeUnit: .weeks)
        }
    }

    @Test("logs lines of JSON as pycti does, from its level on")
    func logging() async throws {
        let stage = HelperStage()
        let helper = try await stage.helper(["CONNECTOR_LOG_LEVEL": "warning"])
        helper.log.info("not this")
        helper.log.warning("The feed is old.", ["age_days": 3])
        #expect(
            stage.log.all == [
                #"{"timestamp":"2026-11-21T12:00:00.000Z","level":"WARNING","name":"KEV","message":"The feed is old.","#
                    + "\"attributes\":{\"age_days\":3}}\n"
            ])
    }
}
