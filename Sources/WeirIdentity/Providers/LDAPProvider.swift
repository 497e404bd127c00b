package import WeirDirectory
internal import WeirSettings
package import WeirWorld

/// An LDAP directory as a silo: OpenLDAP, Active Directory, Samba.
///
/// Objects are entries below a base that match a filter. Their anchor is entryUUID or objectGUID, their name the DN.
/// What is no text (a photo, a certificate) is base64; objectGUID and objectSid are written as people write them.
package final class LDAPProvider: SiloProvider {
    /// Where entries of a type are.
    package struct Layout: Sendable {
        package var base: String
        package var filter: String
        /// Lower case; empty: all user attributes.
        package var attributes: [String]

        package init(base: String, filter: String = "(objectClass=*)", attributes: [String] = []) {
            self.base = base
            self.filter = filter
            self.attributes = attributes.map { $0.lowercased() }
        }
    }

    let pool: DirectoryPool
    let silo: String
    let layouts: [String: Layout]
    let membership: MembershipWriter.Settings
    private let isReadOnly: Bool
    private let kind: ServerKind?
    let pageSize: Int

    package init(
        _ silo: String, _ layouts: [String: Layout], _ settings: DirectorySettings, kind: ServerKind? = nil,
        membership: MembershipWriter.Settings = MembershipWriter.Settings(), pageSize: Int = 1_000,
        isReadOnly: Bool = false, world: World
    ) {
        self.silo = silo
        self.layouts = layouts
        self.membership = membership
        self.pageSize = pageSize
        self.isReadOnly = isReadOnly
        self.kind = kind
        pool = DirectoryPool(settings, kind: kind, world)
    }

    /// - Parameter connect: hands over a connected socket where the silo is reached through a tunnel.
    /// - Throws: what cannot be: an address that is none, a password in the clear.
    package convenience init(
        _ silo: String, _ settings: LDAPSiloSettings, connect: DirectorySettings.Connect? = nil,
        isReadOnly: Bool = false, world: World
    ) throws(ScanFailure) {
        let text = settings.connector.map { "ldap://\($0)" } ?? settings.url
        guard let address = DirectoryAddress(text) else {
            throw ScanFailure(code: "bad_url", text: "\(settings.url) is no address of a directory", isPassing: false)
        }
        var directory = DirectorySettings(address: address, security: settings.startTLS ? .startTLS : nil)
        directory.caFile = settings.caFile
        directory.bindName = settings.bindDN.isEmpty ? nil : settings.bindDN
        directory.password = settings.password.isSet ? settings.password.text : nil
        directory.poolSize = settings.connections
        directory.requestLimit = settings.timeout
        directory.connect = connect
        // A tunnel's own link is TLS; the last hop, from its agent to the directory, is the operator's network.
        directory.allowPlaintext = settings.connector != nil
        var membership = MembershipWriter.Settings()
        membership.chunkMost = settings.batch
        membership.lastMember =
            switch settings.lastMember {
            case .fail: .fail
            case .placeholder: .placeholder(settings.placeholder ?? "")
            case .deleteGroup: .deleteGroup
            }
        let kind: ServerKind? =
            switch settings.server {
            case .auto: nil
            case .openldap: .openLDAP
            case .ad: .activeDirectory
            }
        var layouts: [String: Layout] = [:]
        for entry in settings.objects.entries {
            layouts[entry.name] = Layout(
                base: entry.value.base, filter: entry.value.filter, attributes: entry.value.attributes)
        }
        self.init(
            silo, layouts, directory, kind: kind, membership: membership, pageSize: settings.pageSize,
            isReadOnly: isReadOnly, world: world)
    }

    /// What the console exports.
    package var counters: DirectoryCounters.Value { pool.counters.value }

    package var abilities: SiloAbilities {
        SiloAbilities(
            delta: true, deltaDeletes: (kind ?? pool.knownRoot?.kind) == .activeDirectory, writes: !isReadOnly)
    }

    package func schema(of kind: ObjectKind) async -> ObjectSchema {
        var server = self.kind
        if server == nil { server = try? await pool.root().kind }
        return server == .activeDirectory ? .activeDirectory : .directory
    }

    package func scope(of kind: ObjectKind) -> String {
        guard let layout = layouts[kind.type] else { return "" }
        return "\(layout.base) \(layout.filter) \(layout.attributes.sorted().joined(separator: ","))"
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        let layout = try layout(of: kind)
        do throws(DirectoryWriteProblem) {
            let root = try await rootEntry()
            let writer = EntryWriter(pool, base: layout.base)
            let found = try await writer.find(.init(name, anchor: anchor), wanted(layout, root), root)
            guard let found else {
                try await writer.checkBase()
                return nil
            }
            var maker = LDAPRecordMaker(layout, root)
            return maker.object(found, kind)
        } catch {
            throw error.scanFailure
        }
    }

    package func close() async { pool.close() }

    func layout(of kind: ObjectKind) throws(ScanFailure) -> Layout {
        guard let layout = layouts[kind.type] else {
            throw ScanFailure(code: "no_such_type", text: "\(silo) has no type \(kind.type)", isPassing: false)
        }
        return layout
    }

    func rootEntry() async throws(DirectoryWriteProblem) -> RootEntry {
        do throws(DirectoryFailure) { return try await pool.root() } catch {
            throw .failure(error, isUncertain: false)
        }
    }

    /// What is asked of the server: what the operator wants, what identifies an entry, what says that it changed.
    func wanted(_ layout: Layout, _ root: RootEntry) -> [String] {
        (layout.attributes.isEmpty ? ["*"] : layout.attributes)
            + [root.anchorAttribute, DirectoryMark.attribute(of: root)]
    }
}

extension DirectoryWriteProblem {
    var scanFailure: ScanFailure {
        switch self {
        case .failure(let failure, _): ScanFailure(code: failure.code, text: text, isPassing: failure.isPassing)
        case .refused(let answer, _): ScanFailure(code: code, text: text, isPassing: answer.isPassing)
        case .conflict: ScanFailure(code: code, text: text, isPassing: false)
        }
    }
}
