import Testing
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

@Suite("The gate of a composed destination")
struct ComposedGateTests {
    private func gate(_ id: String, _ state: GateState) -> GateReading {
        GateReading(
            id: id, kind: .stream, state: state,
            reason: state.isHeld ? Reason("http_503", "It answered 503.") : Reason("open", "The receiver accepts."),
            since: WallTime(nanoseconds: 5), level: state.isHeld ? 90 : 10,
            limit: Limit(100, .bytes, origin: "f:\(id)"),
            reopens: state.isHeld ? "When it answers." : "It is open.", receiver: id)
    }

    private func read(_ kind: ComposedGate.Kind, _ states: GateState...) -> GateReading? {
        let members = zip(["a", "b", "c"], states).map { gate($0, $1) }
        return ComposedGate.reading("all", kind, members: members, senders: ["in"], counters: FlowCounters())
    }

    @Test("A router is as its worst member, because it waits for each of them")
    func router() {
        let reading = read(.router, .open, .blocking, .queueing)
        #expect(reading?.state == .blocking)
        #expect(reading?.reason.code == "http_503")
        #expect(reading?.reason.sentence == "b is blocking: It answered 503.")
        #expect(reading?.reopens == "b: When it answers.")
        #expect(reading?.limit.origin == "f:b" && reading?.level == 90)
        #expect(reading?.members == ["a", "b", "c"] && reading?.senders == ["in"])
        #expect(read(.router, .open, .open)?.state == .open)
    }

    @Test("A balancer is open while one member is, and names the one that is not")
    func balance() {
        let reading = read(.balance, .blocking, .open, .open)
        #expect(reading?.state == .open)
        #expect(reading?.reason.code == "member_held")
        #expect(reading?.reason.sentence == "Events go to b, c. a is blocking: It answered 503.")
        #expect(read(.balance, .suspended, .blocking)?.state == .blocking)
        #expect(
            read(.balance, .suspended, .blocking)?.reason.sentence
                == "No member takes events. b is blocking: It answered 503.")
        #expect(read(.balance, .open, .open)?.reason.code == "open")
    }

    @Test("A fallback is as the member that takes its events, and says who should")
    func fallback() {
        #expect(read(.fallback, .blocking, .filling)?.state == .filling)
        #expect(
            read(.fallback, .blocking, .open, .open)?.reason.sentence
                == "Events go to b. a is blocking: It answered 503.")
        #expect(read(.fallback, .blocking, .suspended)?.state == .blocking)
        #expect(read(.fallback, .open, .suspended)?.state == .open)
        #expect(read(.fallback, .open, .suspended)?.reason.code == "member_held")
    }

    @Test("It counts what it hands on, and a person's order reaches its members", .timeLimit(.minutes(5)))
    func destination() async throws {
        let receiver = RecordingDestination()
        let stage = Stage([receiver])
        let fallback = FallbackIntake(name: "either", members: [stage.chain], time: stage.time)
        let destination = ComposedDestination(
            .fallback, fallback, members: [.init(name: "out")], senders: ["in"], registry: stage.registry)
        try await stage.running { _ in
            destination.publish()
            let receipt = try await destination.accept(stage.batch(["one", "two"]), deadline: nil)
            #expect(await receipt.settled() == .kept)
            let reading = stage.registry.reading("either")
            #expect(reading?.state == .open && reading?.members == ["out"])
            #expect(reading?.counters.takenEvents == 2 && reading?.counters.unaccounted == 0)
            #expect(reading?.details.last?.value.contains("2 events given") == true)
            #expect(stage.registry.order(.hold(by: "a test"), "either"))
            #expect(stage.registry.reading("out")?.state == .paused)
            #expect(stage.registry.reading("either")?.state == .paused)
            #expect(stage.registry.order(.release(by: "a test"), "either"))
            #expect(stage.registry.reading("either")?.state == .open)
            destination.withdraw()
            #expect(stage.registry.reading("either") == nil)
        }
    }
}
