import Logging
import WeirWorld

/// One group on its way to what it should be.
struct MembershipRun {
    let writer: MembershipWriter
    let look: GroupLook
    var state: GroupLook.State
    var outcome = MembershipWriter.Outcome()
    /// Values that no chunk may hold any more: each is sent alone.
    private var alone: [MembershipPlan.Value] = []
    private var asserts: Bool

    init(writer: MembershipWriter, look: GroupLook, state: GroupLook.State) {
        self.writer = writer
        self.look = look
        self.state = state
        asserts = writer.settings.asserts && look.root.asserts && look.root.readsAfter
    }

    private var pool: DirectoryPool { look.pool }
    private var settings: MembershipWriter.Settings { writer.settings }

    /// A placeholder goes when somebody else comes.
    func makeRoomForMembers(_ plan: inout MembershipPlan) async throws(DirectoryWriteProblem) {
        guard case .placeholder(let name) = settings.lastMember, plan.pending.contains(where: { $0.action == .add })
        else { return }
        let key = settings.comparison.key(name)
        guard !plan.pending.contains(where: { $0.key == key }),
            try await pool.holds(look.group, look.attribute, name) == true
        else { return }
        plan.leave(plan.pending + [.init(text: name, key: key, action: .delete)])
    }

    mutating func carryOut(_ plan: MembershipPlan) async throws(DirectoryWriteProblem) {
        var plan = plan
        for round in 0..<MembershipWriter.rounds where !plan.isEmpty {
            // An entry that others write to all the time never is what was read: then without.
            if round == MembershipWriter.rounds - 1 { asserts = false }
            var left: [MembershipPlan.Value] = []
            for chunk in plan.chunks(most: settings.chunkMost, bytes: settings.chunkBytes) {
                left += try await send(chunk)
                if outcome.isGroupDeleted { return }
            }
            plan.leave(left)
        }
        asserts = false
        for value in plan.pending + alone { try await sendAlone(value) }
    }

    /// - Returns: what of the chunk is still needed, and may be sent again.
    private mutating func send(_ chunk: [MembershipPlan.Value]) async throws(DirectoryWriteProblem)
        -> [MembershipPlan.Value]
    {
        let answer = try await request(chunk.modifications(look.attribute), chunk)
        switch meaning(answer.code, chunk) {
        case .done:
            settle(chunk)
            return []
        case .outdated:
            guard let now = try await look.state() else { throw gone }
            state = now
            return try await stillNeeded(chunk)
        case .perhapsSo:
            let needed = try await stillNeeded(chunk)
            pool.counters.benign(isVerified: needed.count < chunk.count)
            if needed.count < chunk.count {
                pool.world.log.info(
                    "members were already as they should be",
                    metadata: [
                        "group": "\(look.group)", "ldap.code": "\(answer.code.number)",
                        "already": "\(chunk.count - needed.count)", "needed": "\(needed.count)",
                    ])
                return needed
            }
            // Not one was so: the code means something else, of one value or of all.
            alone += needed
            return []
        case .passing: throw .refused(answer.code, text: answer.diagnostic)
        case .refused:
            if answer.code == .objectClassViolation, chunk.deleteCount > 0 {
                return try await lastMember(chunk, answer)
            }
            if chunk.count > 1, Self.isAboutOneValue(answer.code) {
                alone += chunk
                return []
            }
            throw .refused(answer.code, text: answer.diagnostic)
        }
    }

    /// One value by itself; what the server says of it is said of it alone.
    private mutating func sendAlone(_ value: MembershipPlan.Value) async throws(DirectoryWriteProblem) {
        let answer = try await request([value].modifications(look.attribute), [value])
        switch meaning(answer.code, [value]) {
        case .done: settle([value])
        case .perhapsSo:
            let isSo = try await stillNeeded([value]).isEmpty
            pool.counters.benign(isVerified: isSo)
            if !isSo { refuse(value, answer) }
        case .outdated, .passing: throw .refused(answer.code, text: answer.diagnostic)
        case .refused:
            if answer.code == .objectClassViolation, value.action == .delete {
                for left in try await lastMember([value], answer) { refuse(left, answer) }
            } else if Self.isAboutOneValue(answer.code) {
                refuse(value, answer)
            } else {
                throw .refused(answer.code, text: answer.diagnostic)
            }
        }
    }

    /// Codes that speak of a value rather than of us or of the group: AD has no such member (32), bad syntax (21, 34),
    /// a constraint on values (19).
    private static func isAboutOneValue(_ code: ResultCode) -> Bool {
        switch code {
        case .noSuchObject, .invalidAttributeSyntax, .invalidDNSyntax, .constraintViolation, .noSuchAttribute,
            .attributeOrValueExists, .entryAlreadyExists, .unwillingToPerform, .inappropriateMatching:
            true
        default: false
        }
    }

    private var gone: DirectoryWriteProblem { .refused(.noSuchObject, text: "\(look.group) has gone meanwhile") }

    private func meaning(_ code: ResultCode, _ chunk: [MembershipPlan.Value]) -> CodeMeaning {
        let kind = look.root.kind
        let add = CodeMeaning(code, to: .addValues, on: kind)
        let delete = CodeMeaning(code, to: .deleteValues, on: kind)
        if chunk.deleteCount == 0 { return add }
        if chunk.addCount == 0 { return delete }
        return add == .perhapsSo ? add : delete
    }

    /// Compares, and counts what is so.
    private mutating func stillNeeded(_ chunk: [MembershipPlan.Value]) async throws(DirectoryWriteProblem)
        -> [MembershipPlan.Value]
    {
        let needed = try await look.needed(chunk, state, isStrict: true)
        outcome.already += chunk.count - needed.count
        return needed
    }

    private mutating func settle(_ chunk: [MembershipPlan.Value]) {
        outcome.added += chunk.addCount
        outcome.deleted += chunk.deleteCount
    }

    private mutating func refuse(_ value: MembershipPlan.Value, _ answer: DirectoryAnswer) {
        outcome.refused.append(.init(value: value.text, code: answer.code, text: answer.diagnostic))
    }

    private mutating func request(
        _ modifications: [DirectoryModification], _ chunk: [MembershipPlan.Value]
    ) async throws(DirectoryWriteProblem) -> DirectoryAnswer {
        var controls: [DirectoryControl] = []
        if settings.isPermissive, look.root.isPermissive(deleting: chunk.deleteCount > 0) {
            controls.append(.permissive)
        }
        if asserts, let version = state.version {
            controls.append(.assert(look.root.versionAttribute, is: version))
            controls.append(.postRead([look.root.versionAttribute]))
        }
        let begun = pool.world.time.now
        outcome.requests += 1
        do throws(DirectoryWriteProblem) {
            let answer = try await pool.write(.modify(name: look.group, modifications), controls)
            let error = answer.code == .success ? nil : "\(answer.code.number)"
            count(chunk, begun, error)
            state.version = answer.after?.text(look.root.versionAttribute)
            return answer
        } catch {
            count(chunk, begun, error.code)
            throw error
        }
    }

    private func count(_ chunk: [MembershipPlan.Value], _ begun: Moment, _ error: String?) {
        pool.counters.batch(
            adds: chunk.addCount, deletes: chunk.deleteCount, seconds: (pool.world.time.now - begun).inSeconds,
            error: error)
    }

    // MARK: the last member

    /// The class of the group wants a member and these are the last.
    private mutating func lastMember(
        _ chunk: [MembershipPlan.Value], _ answer: DirectoryAnswer
    ) async throws(DirectoryWriteProblem) -> [MembershipPlan.Value] {
        switch settings.lastMember {
        case .fail:
            throw .conflict(
                code: "last_member",
                text: "\(look.group) would have no member left, and its class wants one (\(answer.sentence)): "
                    + "set on_last_member")
        case .placeholder(let name):
            let key = settings.comparison.key(name)
            guard !chunk.contains(where: { $0.key == key }) else {
                throw .conflict(code: "last_member", text: "the placeholder of \(look.group) is to go")
            }
            let withPlaceholder = [MembershipPlan.Value(text: name, key: key, action: .add)] + chunk
            let second = try await request(withPlaceholder.modifications(look.attribute), withPlaceholder)
            guard second.code == .success else { throw .refused(second.code, text: second.diagnostic) }
            settle(chunk)
            return []
        case .deleteGroup:
            try await deleteGroup(chunk)
            return []
        }
    }

    /// Deletes the group if the members that are to go are all that it has: looked at now, and held on to where the
    /// server can, so that nobody who came in meanwhile is lost with it.
    private mutating func deleteGroup(_ chunk: [MembershipPlan.Value]) async throws(DirectoryWriteProblem) {
        guard let entry = try await pool.entry(look.group, [look.attribute, look.root.versionAttribute]) else {
            throw gone
        }
        let going = Set(chunk.filter { $0.action == .delete }.map(\.key))
        let staying = entry.texts(look.attribute).filter { !going.contains(settings.comparison.key($0)) }
        guard staying.isEmpty, chunk.addCount == 0 else {
            throw .conflict(code: "last_member", text: "\(look.group) has got another member meanwhile")
        }
        var controls: [DirectoryControl] = []
        if look.root.asserts, let version = entry.text(look.root.versionAttribute) {
            controls.append(.assert(look.root.versionAttribute, is: version))
        }
        let answer = try await pool.write(.delete(name: look.group), controls)
        guard answer.code == .success || answer.code == .noSuchObject else {
            throw .refused(answer.code, text: answer.diagnostic)
        }
        settle(chunk)
        outcome.isGroupDeleted = true
    }
}
