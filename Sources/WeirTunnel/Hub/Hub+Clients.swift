import Synchronization
internal import WeirWorld

/// What happens to one client, from the rules to the record of its end.
extension Hub {
    /// A client that the rules have let in.
    struct Admitted: Sendable {
        var client: AcceptedClient
        var pass: ListenerRules.Pass
        var record: ConnectionRecord
    }

    /// Asks the rules, on the acceptor's thread: who waits for more is counted already, so their number is bounded.
    func admit(_ client: AcceptedClient) {
        let listener = settings.listeners[client.listener]
        var record = ConnectionRecord(
            id: state.withLock { state in
                defer { state.nextConnection += 1 }
                return state.nextConnection
            }, time: world.time.wall, hub: settings.name, listener: listener.name, connector: listener.connector,
            client: client.client)
        do throws(ListenerRules.Refusal) {
            let pass = try state.withLock { state throws(ListenerRules.Refusal) in
                try state.rules.enter(client.listener, connector: listener.connector, from: client.bits)
            }
            guard case .enqueued = clientsIn.yield(Admitted(client: client, pass: pass, record: record)) else {
                state.withLock { $0.rules.leave(pass) }
                record.result = .limit
                record.reason = "hub_stops"
                return refuse(client, record)
            }
        } catch {
            record.result = error == .address ? .denied : .limit
            record.reason = error.rawValue
            refuse(client, record)
        }
    }

    /// Which limit refuses the next client of a connector now; `nil` while there is room.
    package func fullness(of connector: String) -> ListenerRules.Refusal? {
        let listeners = settings.listeners.indices.filter { settings.listeners[$0].connector == connector }
        return state.withLock { $0.rules.fullness(of: connector, at: listeners) }
    }

    func serve(_ admitted: Admitted) async {
        var record = admitted.record
        await open(admitted.client, settings.listeners[admitted.client.listener], admitted.pass, &record)
        guard record.result != .opened else { return }
        state.withLock { $0.rules.leave(admitted.pass) }
        refuse(admitted.client, record)
    }

    private func refuse(_ client: AcceptedClient, _ record: ConnectionRecord) {
        ClientAcceptor.refuse(client.descriptor)
        observer.connection(record.connector, record.result)
        auditor?.record(record)
    }

    /// Joins a client with a target, or says in the record why not.
    private func open(
        _ client: AcceptedClient, _ listener: Listener, _ pass: ListenerRules.Pass, _ record: inout ConnectionRecord
    ) async {
        let question = OpenQuestion(
            connector: listener.connector, listener: listener.name, clientAddress: client.client?.host,
            clientPort: client.client?.port)
        let asked = world.time.now
        let decision = await policy.decide(question)
        observer.decided(decision, connector: listener.connector, after: world.time.now - asked)
        (record.decision, record.reason) = (decision.id, decision.reason)
        guard decision.isAllowed else {
            record.result = decision.result == .error ? .pdpError : .denied
            return
        }
        record.result = .noAgent
        mesh?.compare(listener.connector, roster.agents(serving: listener.connector))
        var tried: Way.Name?
        // A second link is asked when the first could not take it; what its target refused, it refused.
        for _ in 0..<2 {
            let (ways, isCut) = ways(to: listener.connector)
            guard let way = ways.first(where: { $0.name != tried }) else {
                if isCut {
                    record.reason = "mesh_down"
                    mesh?.count(.out, .noLink)
                }
                return
            }
            let (agent, link) = (way.agent, way.link)
            tried = way.name
            record.agent = agent
            record.through = way.forward?.owner
            let opened = record.opened(by: agent)
            let opening = ConnectionOpening(
                connector: listener.connector, listener: listener.name, client: client.client?.description,
                agent: agent, since: world.time.wall, decision: decision.id)
            let began = world.time.now
            var request = OpenRequest(
                connector: listener.connector, client: client.client?.description,
                listener: client.server?.description, decision: decision.id)
            request.forward = way.forward
            let outcome = await StreamOpening(
                request: request,
                opening: opening, question: question, limits: StreamLimits(decision, gates[listener.connector]),
                descriptor: client.descriptor, hub: self,
                atStart: { [self] in
                    observer.connection(listener.connector, .opened)
                    auditor?.record(opened)
                },
                atEnd: { [self] in ended(opened, pass, began, $0) }
            ).run(on: link)
            if way.forward != nil, let result = MeshFigures.Result(outcome) { mesh?.count(.out, result) }
            switch outcome {
            case .clientLeft:
                // Says nothing about the agent.
                record.result = .clientLeft
                return
            case .opened:
                dialled(listener.connector, by: agent, nil, began)
                record.result = .opened
                return
            case .refused(let reason):
                dialled(listener.connector, by: agent, reason, began)
                record.result = .refused
                record.reason = reason.name
                if reason == .draining, way.forward == nil { drains(agent, link: link.id) }
                guard [.busy, .draining, .sessionLost, .staleOwner].contains(reason) else { return }
                if reason == .staleOwner {
                    await mesh?.refresh(self)
                    // There may be another number for the same agent by now.
                    tried = nil
                }
            }
        }
    }

    private func dialled(_ connector: String, by agent: String, _ reason: StreamReason?, _ began: Moment) {
        let now = world.time.now
        observer.dialled(connector, reason, after: now - began)
        state.withLock { $0.roster.dialled(connector, by: agent, reason, at: now) }
    }

    private func ended(
        _ opened: ConnectionRecord, _ pass: ListenerRules.Pass, _ began: Moment, _ outcome: SocketEnd.Outcome
    ) {
        state.withLock { $0.rules.leave(pass) }
        guard let auditor else { return }
        var record = opened
        record.time = world.time.wall
        let side = ConnectorFigures.End(outcome.reason, byPeer: outcome.byPeer).side
        record.end = ConnectionRecord.End(
            reason: outcome.reason?.name ?? "fin", by: side == "agent" ? "target" : side, toTarget: outcome.sent,
            toClient: outcome.received, duration: world.time.now - began)
        auditor.record(record)
    }
}
