internal import AsyncHTTPClient
internal import WeirIdentity
internal import WeirSettings
internal import WeirWorld

/// Makes a silo's provider from its settings.
struct SiloMaking {
    let name: String
    let common: SiloSettings
    let world: World
    let http: HTTPClient
    /// A socket through the hub, for `tunnel://CONNECTOR`.
    let dial: @Sendable (String) async throws -> Int32

    /// - Throws: when the settings cannot be, such as a password in the clear.
    func make(_ settings: any Settings) throws(NodeFailure) -> any SiloProvider {
        switch settings {
        case let csv as CSVSiloSettings: return make(csv)
        case let ldif as LDIFSiloSettings: return make(ldif)
        case let sql as SQLSiloSettings: return make(sql)
        case let ldap as LDAPSiloSettings: return try make(ldap)
        case let scim as SCIMSiloSettings:
            var layout = SCIMSilo.Layout(url: scim.url, token: scim.token.isSet ? scim.token.text : nil)
            layout.timeout = scim.timeout
            layout.pageSize = scim.pageSize
            return SCIMSilo(layout, isReadOnly: common.isReadOnly, http: http, world: world)
        case let program as ExecSiloSettings:
            var layout = ExecSilo.Layout(command: program.command)
            layout.timeout = program.timeout
            return ExecSilo(layout, isReadOnly: common.isReadOnly, world: world)
        default: preconditionFailure("the catalogue of silos has a kind that cannot be made: \(settings)")
        }
    }

    private func make(_ settings: CSVSiloSettings) -> any SiloProvider {
        var layout = CSVSilo.Layout(path: settings.path, key: settings.key)
        if let byte = settings.delimiter.utf8.first { layout.delimiter = byte }
        if let byte = settings.list.utf8.first { layout.list = byte }
        if let encoding = TextEncoding(named: settings.encoding) { layout.encoding = encoding }
        layout.lists = Set(common.multi.map { $0.lowercased() })
        return CSVSilo(layout, isReadOnly: common.isReadOnly, world: world)
    }

    private func make(_ settings: LDIFSiloSettings) -> any SiloProvider {
        let bases = settings.objects.entries.map { entry in
            (
                ObjectKind(silo: name, type: entry.name),
                LDIFSilo.Base(name: entry.value.base, objectClass: entry.value.objectClass)
            )
        }
        return LDIFSilo(
            path: settings.path, bases: Dictionary(bases, uniquingKeysWith: { first, _ in first }),
            lists: Set(common.multi.map { $0.lowercased() }), isReadOnly: common.isReadOnly, world: world)
    }

    private func make(_ settings: LDAPSiloSettings) throws(NodeFailure) -> any SiloProvider {
        let dial = dial
        let connect = settings.connector.map { connector in
            { @Sendable () async throws -> Int32 in try await dial(connector) }
        }
        do throws(ScanFailure) {
            return try LDAPProvider(name, settings, connect: connect, isReadOnly: common.isReadOnly, world: world)
        } catch {
            throw NodeFailure("The silo `\(name)`: \(error.text).", help: "It is set under `identity.silos`.")
        }
    }

    private func make(_ settings: SQLSiloSettings) -> any SiloProvider {
        let tables = settings.objects.entries.map { entry in
            let table = entry.value
            return (
                entry.name,
                SQLSilo.Table(table: table.table, query: table.query, key: table.key, changed: table.changed)
            )
        }
        let place: SQLSilo.Place =
            settings.url.hasPrefix("sqlite:")
            ? .sqlite(path: String(settings.url.dropFirst("sqlite:".count)))
            : .postgres(url: settings.url, password: settings.password.isSet ? settings.password.text : nil)
        return SQLSilo(
            place, tables: Dictionary(tables, uniquingKeysWith: { first, _ in first }),
            isReadOnly: common.isReadOnly, timeout: settings.timeout, world: world)
    }
}
