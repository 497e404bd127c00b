import Synchronization
import Testing

@testable import WeirConnectors

@Suite("The connections of the AMQP ingress")
final class AMQPSessionsTests: Sendable {
    private final class Client: Sendable {}

    private let closed = Mutex<[Int]>([])

    @Test("that never log in make room for those that do, the oldest first")
    func strangers() {
        let sessions = AMQPSessions(most: 6, perConnectorMost: 5, heldMost: 0)
        let clients = (0..<6).map { _ in Client() }
        func enter(_ number: Int) -> Bool {
            sessions.enter(
                ObjectIdentifier(clients[number]),
                AMQPSessions.Entry(
                    stop: { _ in },
                    close: { [self] in
                        closed.withLock { $0.append(number) }
                        sessions.leave(ObjectIdentifier(clients[number]))
                    }))
        }
        #expect(enter(0) && sessions.name(ObjectIdentifier(clients[0]), "a"))
        for number in 1...5 { #expect(enter(number)) }
        #expect(closed.withLock { $0 } == [1, 2])
        #expect(sessions.counts.open == 4 && sessions.counts.crowdedOut == 2 && sessions.hasRoom)
    }

    @Test("are counted for all and for each connector; beyond that nobody gets in")
    func limits() {
        let sessions = AMQPSessions(most: 3, perConnectorMost: 2, heldMost: 0)
        let clients = (0..<4).map { _ in Client() }
        func enter(_ number: Int, _ connector: String) -> (Bool, Bool) {
            let id = ObjectIdentifier(clients[number])
            let isIn = sessions.enter(id, AMQPSessions.Entry(stop: { _ in }, close: {}))
            return (isIn, isIn && sessions.name(id, connector))
        }
        #expect(enter(0, "a") == (true, true) && enter(1, "a") == (true, true))
        #expect(enter(2, "a") == (true, false) && !sessions.hasRoom)
        #expect(enter(3, "b") == (false, false) && sessions.counts.refused == 1)
        sessions.leave(ObjectIdentifier(clients[0]))
        #expect(sessions.hasRoom && enter(3, "a") == (true, true))
    }
}
