import Testing
import WeirTestKit
import WeirWorld

/// In the simulated world, where a seed chooses the order of the tasks: each test holds in every order.
@Suite struct AlarmTests {
    private static let seeds: Range<UInt64> = 1..<40

    /// Runs `body`; it must return within a minute of virtual time, or something that waits was forgotten.
    private func simulate(_ seed: UInt64, _ body: @escaping @Sendable (SimulatedTime) async -> Void) {
        let simulation = Simulation(seed: seed)
        let time = SimulatedTime(simulation)
        #expect(simulation.run(limit: .seconds(60)) { await body(time) }, "seed \(seed)")
    }

    @Test("A poke before the wait is kept, and used up by it", arguments: seeds)
    func kept(seed: UInt64) {
        simulate(seed) { time in
            let alarm = Alarm()
            for _ in 0..<1_000 { alarm.poke() }
            let began = time.now
            await alarm.wait()
            alarm.poke()
            await alarm.wait(until: began + .seconds(5), time)
            #expect(time.now == began)
            // A thousand pokes were one.
            await alarm.wait(until: began + .seconds(5), time)
            #expect(time.now == began + .seconds(5))
        }
    }

    @Test("No change is missed, whatever comes between the look and the wait", arguments: seeds)
    func noneMissed(seed: UInt64) {
        simulate(seed) { time in
            let alarm = Alarm()
            let made = SeenNumbers()
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try? await time.sleep(for: .milliseconds(number / 4))
                        made.add(number)
                        alarm.poke()
                    }
                }
                while made.numbers.count < 20 { await alarm.wait() }
                await group.waitForAll()
            }
        }
    }

    @Test("A wait ends at its moment when nobody pokes, and at the poke when somebody does", arguments: seeds)
    func moments(seed: UInt64) {
        simulate(seed) { time in
            let alarm = Alarm()
            let began = time.now
            await alarm.wait(until: began + .seconds(3), time)
            #expect(time.now == began + .seconds(3))
            await alarm.wait(until: began, time)
            #expect(time.now == began + .seconds(3))

            for moment in [time.now + .seconds(40), .distantFuture] {
                let before = time.now
                async let poked: Void = {
                    try? await time.sleep(for: .seconds(2))
                    alarm.poke()
                }()
                await alarm.wait(until: moment, time)
                #expect(time.now == before + .seconds(2))
                await poked
            }
        }
    }

    @Test("A cancelled wait returns at once and leaves the poke for the next one", arguments: seeds)
    func cancelled(seed: UInt64) {
        simulate(seed) { time in
            let alarm = Alarm()
            let began = time.now
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await alarm.wait() }
                group.addTask { await alarm.wait(until: .distantFuture, time) }
                group.addTask { await alarm.wait(until: began + .seconds(30), time) }
                try? await time.sleep(for: .seconds(1))
                group.cancelAll()
            }
            #expect(time.now == began + .seconds(1))

            alarm.poke()
            await withTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask { await alarm.wait() }
                group.addTask { await alarm.wait(until: began + .seconds(30), time) }
            }
            await alarm.wait()
            #expect(time.now == began + .seconds(1))
        }
    }

    @Test("A poke wakes all who wait, and a cancelled one among them wakes nobody else", arguments: seeds)
    func several(seed: UInt64) {
        simulate(seed) { time in
            let alarm = Alarm()
            let began = time.now
            await withTaskGroup(of: Void.self) { others in
                for _ in 0..<3 {
                    others.addTask {
                        await alarm.wait()
                        #expect(time.now == began + .seconds(2))
                    }
                }
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await alarm.wait() }
                    try? await time.sleep(for: .seconds(1))
                    group.cancelAll()
                }
                #expect(time.now == began + .seconds(1))
                try? await time.sleep(for: .seconds(1))
                alarm.poke()
            }
        }
    }
}
